import { fileURLToPath } from 'node:url'
import { BpfObject, enableRunStats, listLinks, listPrograms, type ProgramInfo } from 'libbpf-ts'
import { loadOnly } from '../src/probes/specialise.js'
import { PROBES } from '../src/probes/support.js'

const EMPTY = fileURLToPath(new URL('empty.bpf.o', import.meta.url))
/** The kernel keeps so much of a program's name. */
const NAME_LENGTH = 15

/** One of taut's probes under load: how often it ran, and for how long, by the kernel's account. */
export type ProbeCost = { program: string; point: string; runs: number; ns: number }

const findAttached = (): Map<string, ProgramInfo> => {
  const linked = new Set(listLinks().map(({ programId }) => programId))
  const programs = listPrograms().filter(({ id }) => linked.has(id))
  return new Map(
    PROBES.flatMap(({ program }) => {
      const info = programs.find(({ name }) => name === program.slice(0, NAME_LENGTH))
      return info === undefined ? [] : [[program, info] as const]
    }),
  )
}

/** Empty handlers, attached for as long as what `attach` gives is not disposed of. */
export type EmptyProbes = { attach: () => Disposable; close: () => void }

/** Loads an empty handler for each tracepoint where taut, which measures now, has one. */
export const prepareEmptyProbes = (): EmptyProbes => {
  const names = [...findAttached().keys()]
  const object = BpfObject.open(EMPTY)
  // The others may be at tracepoints that this kernel does not have.
  loadOnly(
    object,
    names.map(name => object.program(name)),
  )
  const attach = (): Disposable => {
    const links = names.map(name => object.program(name).attach())
    return {
      [Symbol.dispose]: () => {
        for (const link of links) link.close()
      },
    }
  }
  return { attach, close: () => object.close() }
}

/** What each of the probes of the taut that measures now costs while something runs. */
export const timeProbes = async (run: () => Promise<unknown>): Promise<ProbeCost[]> => {
  using _stats = enableRunStats()
  const before = findAttached()
  await run()
  const after = findAttached()
  return PROBES.flatMap(({ program, point }) => {
    const [first, last] = [before.get(program), after.get(program)]
    if (first === undefined || last === undefined) return []
    return [
      {
        program,
        point,
        runs: Number(last.runCount - first.runCount),
        ns: Number(last.runTimeNs - first.runTimeNs),
      },
    ]
  })
}
