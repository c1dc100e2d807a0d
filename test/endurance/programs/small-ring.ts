import { createInterface } from 'node:readline'
import { BpfObject, possibleCpus } from 'libbpf-ts'
import { type Counts, countRequests, type Lost } from '../../../src/latency/counts.js'
import type { Exemplar } from '../../../src/latency/document.js'
import { Metrics } from '../../../src/probes/metrics.js'
import { Tracer } from '../../../src/probes/tracer.js'
import { listServices } from '../../../src/system/services.js'
import { resolveTarget } from '../../../src/system/target.js'

/** What the tracer has counted so far, and the exemplars that it took out of the ring buffer just now. */
export type Reading = {
  requests: number
  begun: number
  lost: Lost
  exemplars: number
  /** Those of them whose stages add up to their total. */
  whole: number
}

const PAGE_BYTES = 4096

/** The tracer has no such setting: changes what it loads, and gives that. */
const loadWith = (change: (object: BpfObject) => void): (() => BpfObject) => {
  const load = BpfObject.prototype.load
  let loaded: BpfObject | undefined
  BpfObject.prototype.load = function () {
    change(this)
    loaded = this
    return load.call(this)
  }
  return () => {
    if (loaded === undefined) throw new Error('nothing was loaded')
    return loaded
  }
}

const isWhole = ({ totalNs, stages }: Exemplar): boolean =>
  Object.values(stages).reduce((sum, ns) => sum + ns, 0n) === totalNs

const describe = (counts: Counts, exemplars: Exemplar[]): Reading => ({
  requests: countRequests(counts),
  begun: counts.begun,
  lost: counts.lost,
  exemplars: exemplars.length,
  whole: exemplars.filter(isWhole).length,
})

/**
 * Traces the service on PORT with a ring buffer of one page, to which every request is sent. Prints the ring buffer's
 * bytes, and for every line that comes in empties it and prints a reading, as JSON.
 */
const [target] = resolveTarget({ port: Number(process.argv[2]) }, await listServices())
if (target === undefined) throw new Error('nothing listens there')
const findLoaded = loadWith(object => object.map('exemplars').setMaxEntries(PAGE_BYTES))
using tracer = Tracer.start(target, { kind: 'tp_btf' })
const object = findLoaded()
tracer.chooseExemplars(0, 1)
new Metrics(object.map('metrics').mmap(), possibleCpus()).allowExemplars(Number.MAX_SAFE_INTEGER)
process.stdout.write(`${object.map('exemplars').maxEntries}\n`)
for await (const _ of createInterface(process.stdin)) {
  process.stdout.write(`${JSON.stringify(describe(tracer.read(), tracer.drainExemplars()))}\n`)
}
