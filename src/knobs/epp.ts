import { listPolicies, policyFile } from './cpufreq.js'
import { type Knob, Unavailable } from './knob.js'
import { readWord } from './number-values.js'

const AVAILABLE = 'energy_performance_available_preferences'

export const epp: Knob = {
  name: 'cpu.epp',
  about: 'What processors that choose their frequency themselves prefer: energy or performance.',
  where: '/sys/devices/system/cpu/cpufreq/policyN/energy_performance_preference',
  default: 'balance_performance, mostly',
  values: `a name of ${AVAILABLE}, as performance`,
  helps: 'As cpu.governor, where the hardware manages the frequency (intel_pstate, amd_pstate).',
  harms: 'performance: power and heat.',
  effect: 'It reads back.',
  selector: 'cpus',
  plan: async (value, selection) => {
    const policies = listPolicies(selection).filter(({ read }) => read(AVAILABLE) !== null)
    if (policies.length === 0) throw new Unavailable('the processor has no energy performance preference')
    return policies.map(policy => ({
      place: policyFile(policy, 'energy_performance_preference'),
      to: readWord(value, (policy.read(AVAILABLE) ?? '').split(' ')),
    }))
  },
}
