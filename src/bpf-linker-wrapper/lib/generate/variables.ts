import type { Btf, BtfVariable } from 'libbpf-ts'

const isGlobalData = (section: string): boolean => /^\.(rodata|data|bss)(\.|$)/.test(section)

/** Gives the global variables that user space can reach, by name: not the static ones, whose names may repeat. */
export const listVariables = (btf: Btf): BtfVariable[] =>
  [...btf.types()]
    .flatMap(type => (type.kind === 'datasec' && isGlobalData(type.name) ? [type.name] : []))
    .flatMap(name => btf.datasec(name)?.variables ?? [])
    .filter(({ linkage }) => linkage === 'global')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
