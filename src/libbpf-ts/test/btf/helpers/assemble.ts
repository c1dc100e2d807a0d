import { type BtfKind, kinds } from '../../../lib/btf/types.js'

const encoder = new TextEncoder()

/** Puts together a .BTF section type by type; each `add` gives the new type's id, forward references allowed. */
export class BtfAssembler {
  readonly #words: number[] = []
  readonly #strings: number[] = [0]
  readonly #known = new Map<string, number>([['', 0]])
  #nextId: number
  readonly #littleEndian: boolean

  constructor(littleEndian = true, firstId = 1) {
    this.#littleEndian = littleEndian
    this.#nextId = firstId
  }

  get nextId(): number {
    return this.#nextId
  }

  string(text: string): number {
    const known = this.#known.get(text)
    if (known !== undefined) {
      return known
    }

    const offset = this.#strings.length
    this.#strings.push(...encoder.encode(text), 0)
    this.#known.set(text, offset)
    return offset
  }

  add(
    kind: BtfKind,
    name: string,
    sizeOrType: number,
    tail: number[] = [],
    { entries = 0, flag = false }: { entries?: number; flag?: boolean } = {},
  ): number {
    const info = (flag ? 0x80000000 : 0) + kinds.indexOf(kind) * 0x1000000 + entries
    this.#words.push(this.string(name), info, sizeOrType, ...tail)
    return this.#nextId++
  }

  int(
    name: string,
    size: number,
    { signed = false, char = false, bool = false, bits = size * 8 } = {},
  ): number {
    const encoding = (signed ? 1 : 0) | (char ? 2 : 0) | (bool ? 4 : 0)
    return this.add('int', name, size, [encoding * 0x1000000 + bits])
  }

  array(type: number, count: number): number {
    return this.add('array', '', 0, [type, 1, count])
  }

  composite(
    kind: 'struct' | 'union',
    name: string,
    size: number,
    members: { name: string; type: number; bitOffset: number; bits?: number }[],
  ): number {
    const flag = members.some(({ bits }) => bits !== undefined)
    const tail = members.flatMap(member => [
      this.string(member.name),
      member.type,
      (member.bits ?? 0) * 0x1000000 + member.bitOffset,
    ])
    return this.add(kind, name, size, tail, { entries: members.length, flag })
  }

  bytes(): Uint8Array {
    const types = this.#words.length * 4
    const bytes = new Uint8Array(24 + types + this.#strings.length)
    const view = new DataView(bytes.buffer)
    view.setUint16(0, 0xeb9f, this.#littleEndian)
    view.setUint8(2, 1)
    for (const [index, word] of [24, 0, types, types, this.#strings.length, ...this.#words].entries()) {
      view.setUint32(4 + index * 4, word, this.#littleEndian)
    }

    bytes.set(this.#strings, 24 + types)
    return bytes
  }
}
