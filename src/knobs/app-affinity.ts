import { formatCpuList } from '../system/cpu-list.js'
import { CPU_VALUES, checkCpus, resolveCpus } from './cpu-values.js'
import { InvalidValue, type Knob, Unavailable } from './knob.js'
import { findAffinityPlace } from './places/affinity.js'
import { watchThreads } from './watching-threads.js'

export const appAffinity: Knob = {
  name: 'cpu.app_affinity',
  about: "Which CPUs the service's threads run on.",
  where: 'sched_setaffinity(2) of every thread',
  default: 'all CPUs',
  values: CPU_VALUES,
  helps:
    '`runqueue` or `app_wait` is high on the CPU that also takes the interrupts: the service goes elsewhere.',
  harms: 'A quarter of the CPU time of a four-core machine; harms a service that is bound by its CPU.',
  effect:
    'The CPU that each thread was last on is among them (/proc/PID/task/TID/stat), of those that have run since; all read back.',
  selector: 'service',
  check: value => checkCpus(value),
  plan: async (value, selection) => {
    const { service } = selection
    if (service === null) throw new InvalidValue('it needs to know the service (try --port)')
    if (service.pids.length === 0)
      throw new Unavailable(`what listens on port ${service.port} is no process that can be seen`)
    const to = formatCpuList(resolveCpus(value, selection))
    return service.pids.flatMap(pid => {
      const place = findAffinityPlace(pid)
      return place === null ? [] : [{ place, to }]
    })
  },
  watch:
    async ({ place, to }) =>
    async signal =>
      place.kind === 'affinity'
        ? watchThreads(place.pid, to, signal)
        : { state: 'written', evidence: 'it reads back' },
}
