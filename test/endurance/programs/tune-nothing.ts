import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { Tracer } from '../../../src/probes/tracer.js'
import { createRandom } from '../../../src/statistics/random.js'
import { listServices } from '../../../src/system/services.js'
import { resolveTarget } from '../../../src/system/target.js'
import { ALLOWANCES } from '../../../src/tune/judge.js'
import { findMeters } from '../../../src/tune/meters.js'
import { measureSlice } from '../../../src/tune/traffic.js'
import { tune } from '../../../src/tune/tune.js'

/** Tunes a service, PORT, so many times, RUNS, with settings that do nothing, and prints what each run kept, as JSON. */
const [port, runs] = process.argv.slice(2).map(Number)
const [target] = resolveTarget({ port: port ?? 0 }, await listServices())
if (target === undefined) throw new Error(`nothing listens on ${port}`)
using tracer = Tracer.start(target, { kind: 'tp_btf' })
tracer.setDepth(0)
const meters = findMeters()
const { signal } = new AbortController()
for (let run = 0; run < (runs ?? 0); run++) {
  const { kept, trials } = await tune(
    {
      set: () => setTimeout(50),
      verify: async () => null,
      check: async () => undefined,
      drop: async () => undefined,
      abandon: async () => undefined,
      overlap: () => false,
      isBeforeStages: () => false,
      measure: isEnough => measureSlice(tracer, meters, process.pid, 200, signal, isEnough),
    },
    ['one', 'another'],
    {
      goal: 'p99',
      allow: ALLOWANCES,
      random: createRandom(run),
      now: () => performance.now(),
      deadline: performance.now() + 16_000,
    },
  )
  const pairs = trials.map(trial => trial.pairs.length)
  process.stdout.write(`${JSON.stringify({ kept, pairs })}\n`)
}
