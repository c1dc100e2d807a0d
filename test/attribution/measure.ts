import type { MeasureDocument } from '../../src/latency/document.js'
import { readRunDelay, readStolen } from '../kernel/support/scheduler.js'
import { startMeasuring } from '../kernel/support/taut.js'
import { type Injection, RATE, REQUESTS } from './injection.js'
import type { Machine } from './world.js'

/** What taut says of the requests that were delayed, and what else is known of them, in nanoseconds of all together. */
export type Measured = {
  document: MeasureDocument
  /** The delays, by the clock of what did it. */
  injectedNs: number
  /** How long the service's threads waited for a CPU. */
  waitedNs: number
  /** What the hypervisor took from the machine's CPUs. */
  stolenNs: number
}

/** Measures requests that are delayed by so much; with 0, ones that differ in nothing else. */
export const measureDelayed = async <M extends Machine>(
  machine: M,
  injection: Injection<M>,
  delayUs: number,
): Promise<Measured> => {
  const { t, server, host } = machine
  const { pid, port, load, end } = await injection.start(machine, delayUs)
  const send = await machine.connectClient({ port, host, requests: REQUESTS, rate: RATE, ...load })
  const measurement = await startMeasuring(t, '--netns', server, '--port', port)
  const [waited, stolen] = [await readRunDelay(pid), await readStolen()]
  await send()
  const waitedNs = (await readRunDelay(pid)) - waited
  const stolenNs = (await readStolen()) - stolen
  const document = await measurement.stop()
  return { document, injectedNs: await end(), waitedNs, stolenNs }
}
