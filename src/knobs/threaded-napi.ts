import { formatCpuList } from '../system/cpu-list.js'
import { listNapiThreads } from '../system/threads.js'
import { quoteShell } from '../text/shell.js'
import { CPU_VALUES, checkCpus, resolveCpus } from './cpu-values.js'
import type { Change, Knob, Look } from './knob.js'
import { findNicName, nicFile, requireNics } from './nic-places.js'
import { findAffinityPlace } from './places/affinity.js'
import { keepPresent } from './present.js'
import { noEffect, readsBack, watchFor } from './watching.js'
import { watchThreads } from './watching-threads.js'

const watch = async ({ place, to }: Change): Promise<Look> => {
  if (place.kind === 'affinity') return signal => watchThreads(place.pid, to, signal)
  const name = findNicName(place)
  if (to === '0') return readsBack('many kernels let the threads sleep on')
  return signal =>
    watchFor(
      () => {
        const count = listNapiThreads(name).length
        return count === 0 ? null : { state: 'verified', evidence: `${count} threads of ${name} are there` }
      },
      () => noEffect(`${name} has no threads`),
      signal,
    )
}

export const threadedNapi: Knob = {
  name: 'net.threaded_napi',
  about:
    'Packets are taken from the card by threads of the kernel, which can be given CPUs, and not in the softirq.',
  where: '/sys/class/net/NIC/threaded, and the CPUs of the threads napi/NIC-N',
  default: 'off',
  values: `the threads' CPUs: ${CPU_VALUES}; off`,
  helps: 'The interrupt cannot be moved and its CPU is the busiest.',
  harms: 'One more wake-up for each batch of packets.',
  effect:
    'The threads are there, and the CPU that each was last on is one of theirs, of those that have run since.',
  isBeforeStages: true,
  selector: 'nic',
  check: value => checkCpus(value, 'off'),
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    if (value !== 'off') resolveCpus(value, selection)
    const to = value === 'off' ? '0' : '1'
    return keepPresent(
      nics.map(nic => ({ place: nicFile(nic, 'threaded'), to })),
      'this kernel or the driver has no threaded NAPI (5.12)',
    )
  },
  follow: async (value, selection) => {
    if (value === 'off') return []
    const to = formatCpuList(resolveCpus(value, selection))
    return requireNics(selection)
      .flatMap(({ name }) => listNapiThreads(name))
      .flatMap(({ tid }) => {
        const place = findAffinityPlace(tid)
        return place === null ? [] : [{ place, to }]
      })
  },
  foresee: async (value, selection) => {
    if (value === 'off') return []
    const from = formatCpuList(selection.online)
    const to = formatCpuList(resolveCpus(value, selection))
    return requireNics(selection)
      .filter(({ name }) => listNapiThreads(name).length === 0)
      .map(({ name }) => ({
        where: `CPUs of the threads napi/${name}-N`,
        from,
        to,
        command: `for pid in $(pgrep ${quoteShell(`^napi/${name}-`)}); do taskset -pc ${to} $pid; done`,
      }))
  },
  watch,
}
