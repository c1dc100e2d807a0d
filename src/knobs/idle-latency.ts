import type { Assignment, Change, Knob, Look } from './knob.js'
import { readWhole } from './number-values.js'
import { NOT_HELD, readLatencyInForce } from './places/latency.js'
import { keepPresent } from './present.js'
import { noEffect, readsBack } from './watching.js'

const MAX_US = 100_000

/** null takes the limit away. */
const read = (value: string): string | null =>
  value === 'none' ? null : readWhole(value, 0, MAX_US, 'microseconds')

/** What a CPU's own file says: 0 is no limit there, and none at all is "n/a" (sysfs-devices-power). */
const ownFile = { noLimit: '0', noLatency: 'n/a' }

const watch = async ({ place, to }: Change): Promise<Look> => {
  if (place.kind !== 'latency') return readsBack('how deep the CPU sleeps is for a measurement to show')
  return async () => {
    const us = readLatencyInForce()
    if (to === NOT_HELD)
      return { state: 'verified', evidence: `no longer held, the kernel keeps to ${us} µs` }
    return us !== null && us <= Number(to)
      ? { state: 'verified', evidence: `held open, the kernel keeps to ${us} µs` }
      : noEffect(`the kernel keeps to ${us} µs`)
  }
}

const NO_DEVICE = 'this kernel has no /dev/cpu_dma_latency, or only root may read it'

export const idleLatency: Knob = {
  name: 'cpu.idle_latency',
  about: 'How long an idle CPU may take to wake up: it limits how deep it sleeps.',
  where:
    '/dev/cpu_dma_latency, held open by a small process; of single CPUs cpuN/power/pm_qos_resume_latency_us',
  default: 'no limit',
  values: 'microseconds, as 20; none takes the limit away',
  helps: '`idle_exit` grows with the depth of the idle state; the tail is worse at a low load.',
  harms: 'Power while idle, and heat.',
  effect: 'Reading the device shows the limit in force.',
  selector: 'cpus',
  check: read,
  plan: async (value, { cpus }) => {
    const us = read(value)
    const assignments: Assignment[] =
      cpus === null
        ? [{ place: { kind: 'latency' }, to: us ?? NOT_HELD }]
        : cpus.map(cpu => ({
            place: {
              kind: 'file',
              path: `/sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`,
              form: 'text',
            },
            to: us === null ? ownFile.noLimit : us === '0' ? ownFile.noLatency : us,
          }))
    return keepPresent(assignments, cpus === null ? NO_DEVICE : 'the CPU has no limit of its own')
  },
  watch,
}
