import { listPolicies, policyFile } from './cpufreq.js'
import type { Knob } from './knob.js'
import { readWhole } from './number-values.js'

export const minFreq: Knob = {
  name: 'cpu.min_freq',
  about: 'The lowest frequency that the CPUs may have.',
  where: '/sys/devices/system/cpu/cpufreq/policyN/scaling_min_freq',
  default: "the hardware's lowest",
  values: 'min, max, or kHz',
  helps: 'As cpu.governor, where only the limits can be set.',
  harms: 'Power and heat.',
  effect: 'It reads back.',
  selector: 'cpus',
  plan: async (value, selection) =>
    listPolicies(selection).map(policy => {
      const [min, max] = [policy.number('cpuinfo_min_freq'), policy.number('scaling_max_freq')]
      const to =
        value === 'min' ? String(min) : value === 'max' ? String(max) : readWhole(value, min, max, 'kHz')
      return { place: policyFile(policy, 'scaling_min_freq'), to }
    }),
}
