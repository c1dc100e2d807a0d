import type { Btf, BtfTypeOf } from 'libbpf-ts'

/** A map that an object declares: the type ids of its key and value, undefined where only sizes are given. */
export interface DeclaredMap {
  readonly name: string
  readonly key: number | undefined
  readonly value: number | undefined
  /** Whether each CPU has its own value. */
  readonly perCpu: boolean
}

// BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH and PERCPU_CGROUP_STORAGE.
const perCpuTypes = [5, 6, 10, 21]

const targetOf = (btf: Btf, map: BtfTypeOf<'struct'>, name: string): number | undefined => {
  const member = map.members.find(candidate => candidate.name === name)
  const pointer = member === undefined ? undefined : btf.resolve(member.type)
  return pointer?.kind === 'ptr' ? pointer.type : undefined
}

/** Gives the number that the macro __uint hides in the length of an array. */
const numberOf = (btf: Btf, map: BtfTypeOf<'struct'>, name: string): number | undefined => {
  const target = targetOf(btf, map, name)
  const array = target === undefined ? undefined : btf.resolve(target)
  return array?.kind === 'array' ? array.count : undefined
}

/** Gives the maps in the section `.maps`, by name; throws a RangeError when the BTF is malformed. */
export const listMaps = (btf: Btf): DeclaredMap[] =>
  (btf.datasec('.maps')?.variables ?? [])
    .flatMap(({ name, type }) => {
      const map = btf.resolve(type)
      if (map.kind !== 'struct') {
        return []
      }

      const perCpu = perCpuTypes.includes(numberOf(btf, map, 'type') ?? 0)
      return [{ name, key: targetOf(btf, map, 'key'), value: targetOf(btf, map, 'value'), perCpu }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
