import type { Btf, BtfType, BtfTypeOf } from 'libbpf-ts'
import { listMaps } from './maps.js'
import { toConstantName, toTypeName } from './names.js'
import { listVariables } from './variables.js'

/** A type that gets a name of its own in the generated code. */
export interface Selected {
  readonly type: BtfTypeOf<'struct' | 'union' | 'enum' | 'enum64'>
  /** Its name in C; for a type without one, that of its typedef or of the member it is the type of. */
  readonly cName: string
  readonly typeName: string
  readonly constantName: string
}

// What the generated code itself refers to or defines.
const taken = [
  'BigInt',
  'DataView',
  'Maps',
  'Math',
  'Number',
  'Program',
  'TextDecoder',
  'Uint8Array',
  'Variables',
]

const deepest = 64

class Selection {
  readonly #btf: Btf
  readonly #byId = new Map<number, Selected>()
  readonly #names = new Map<string, string>()

  constructor(btf: Btf) {
    this.#btf = btf
    for (const name of taken) {
      this.#names.set(name, 'what this file has anyway')
    }
  }

  get byId(): ReadonlyMap<number, Selected> {
    return this.#byId
  }

  /** Adds a type and all that it holds; `hint` names it when it has no name, `pointers` says how many to follow. */
  add(typeId: number, hint: string, pointers = 0, depth = 0): void {
    if (depth > deepest) {
      throw new Error(`${hint}: its type is nested deeper than ${deepest}`)
    }

    const { type, typedefName } = this.#resolve(typeId)
    switch (type.kind) {
      case 'array':
        this.add(type.type, hint, pointers, depth + 1)
        break
      case 'ptr':
        if (pointers > 0) {
          this.add(type.type, hint, pointers - 1, depth + 1)
        }

        break
      case 'struct':
      case 'union':
        if (this.#register(type, type.name || typedefName || hint)) {
          this.#addMembers(type, type.name || typedefName || hint, depth)
        }

        break
      case 'enum':
      case 'enum64':
        this.#register(type, type.name || typedefName || hint)
        break
      default:
    }
  }

  #addMembers(type: BtfTypeOf<'struct' | 'union'>, owner: string, depth: number): void {
    for (const member of type.members) {
      const inner = this.#btf.resolve(member.type)
      if (member.name !== '') {
        this.add(member.type, `${owner}_${member.name}`, 0, depth + 1)
      } else if (inner.kind === 'struct' || inner.kind === 'union') {
        // Its members lie beside the owner's, so it needs no name.
        this.#addMembers(inner, owner, depth + 1)
      }
    }
  }

  #register(type: Selected['type'], cName: string): boolean {
    if (this.#byId.has(type.id)) {
      return false
    }

    const typeName = toTypeName(cName)
    const constantName = toConstantName(cName)
    const what = `${type.kind === 'enum64' ? 'enum' : type.kind} ${cName}`
    for (const name of new Set([typeName, constantName])) {
      const other = this.#names.get(name)
      if (other !== undefined) {
        throw new Error(`${what} would be called ${name} in TypeScript, like ${other}; rename it`)
      }

      this.#names.set(name, other === what ? `another ${what}` : what)
    }

    this.#byId.set(type.id, { type, cName, typeName, constantName })
    return true
  }

  #resolve(typeId: number): { type: BtfType; typedefName: string } {
    let type = this.#btf.type(typeId)
    let typedefName = ''
    const end = this.#btf.resolve(typeId).id
    while (type.id !== end && 'type' in type) {
      typedefName = type.kind === 'typedef' ? type.name : typedefName
      type = this.#btf.type(type.type)
    }

    return { type, typedefName }
  }
}

const selectable = ['struct', 'union', 'enum', 'enum64', 'typedef'] as const

/**
 * Gives the types that maps and global variables use, those inside them, and those that are listed by name.
 * Throws an Error when a listed type is not in the BTF or two types would get one name.
 */
export const selectTypes = (btf: Btf, structs: readonly string[]): ReadonlyMap<number, Selected> => {
  const selection = new Selection(btf)
  for (const { name, key, value } of listMaps(btf)) {
    selection.add(key ?? 0, `${name}_key`)
    selection.add(value ?? 0, `${name}_value`)
  }

  for (const { name, type } of listVariables(btf)) {
    // `const struct event *unused` is how a source keeps the type of its records in the object.
    selection.add(type, name, 1)
  }

  for (const name of structs) {
    const found = selectable.map(kind => btf.findByName(kind, name)).find(type => type !== undefined)
    if (found === undefined) {
      throw new Error(
        `the object's BTF has no struct, union or enum ${name}; clang leaves out what no map, variable or ` +
          `program uses: add \`const struct ${name} *unused_${name} __attribute__((unused));\` to a source`,
      )
    }

    selection.add(found.id, name)
  }

  return selection.byId
}
