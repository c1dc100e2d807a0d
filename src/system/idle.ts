import { join } from 'node:path'
import { listNumbered, readNatural, readText } from './files.js'

const THOUSAND = 1000

/**
 * Gives how often CPUs went into an idle state since boot, all together, which is how often they had to wake up; null where the
 * kernel has no cpuidle driver. See Documentation/ABI/testing/sysfs-devices-system-cpu.
 */
export const countWakeups = (sys = '/sys'): number | null => {
  const folder = join(sys, 'devices/system/cpu')
  const counts = listNumbered(folder, 'cpu').flatMap(cpu => {
    const states = join(folder, `cpu${cpu}`, 'cpuidle')
    return listNumbered(states, 'state').flatMap(
      state => readNatural(join(states, `state${state}`, 'usage')) ?? [],
    )
  })
  return counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0)
}

/** Time that CPUs have been in idle states since boot, in microseconds, all together: as it is, and weighed by depth. */
export type IdleTimes = { us: number; deepUs: number }

/**
 * Gives it; null where the kernel has no cpuidle driver. The deepest state weighs 1, the others less, in equal steps, and polling
 * nothing: how much less power each takes nothing tells. A CPU's time in a state is added when it leaves that.
 */
export const readIdleTimes = (sys = '/sys'): IdleTimes | null => {
  const folder = join(sys, 'devices/system/cpu')
  const times = listNumbered(folder, 'cpu').flatMap(cpu => {
    const states = join(folder, `cpu${cpu}`, 'cpuidle')
    const asleep = listNumbered(states, 'state')
      .sort((a, b) => a - b)
      .filter(state => readText(join(states, `state${state}`, 'name')) !== 'POLL')
    return asleep.map((state, index): IdleTimes => {
      const us = readNatural(join(states, `state${state}`, 'time')) ?? 0
      return { us, deepUs: (us * (index + 1)) / asleep.length }
    })
  })
  if (times.length === 0) return null
  return {
    us: times.reduce((sum, { us }) => sum + us, 0),
    deepUs: times.reduce((sum, { deepUs }) => sum + deepUs, 0),
  }
}

/** Gives what the idle states of the first CPU are called, such as C1, by their numbers; none without a cpuidle driver. */
export const readIdleNames = (sys = '/sys'): Map<number, string> => {
  const folder = join(sys, 'devices/system/cpu/cpu0/cpuidle')
  return new Map(
    listNumbered(folder, 'state').flatMap((state): [number, string][] => {
      const name = readText(join(folder, `state${state}`, 'name'))
      return name === null ? [] : [[state, name]]
    }),
  )
}

/**
 * Gives the mean frequency of the CPUs now, in MHz, as cpufreq tells it; null without a cpufreq driver. See
 * Documentation/admin-guide/pm/cpufreq.rst.
 */
export const readMeanMhz = (sys = '/sys'): number | null => {
  const folder = join(sys, 'devices/system/cpu/cpufreq')
  const khz = listNumbered(folder, 'policy').flatMap(
    policy => readNatural(join(folder, `policy${policy}`, 'scaling_cur_freq')) ?? [],
  )
  return khz.length === 0 ? null : khz.reduce((sum, value) => sum + value, 0) / khz.length / THOUSAND
}
