import { listPolicies, PREFERENCE, PREFERENCES, policyFile, readWordList } from './cpufreq.js'
import { type Knob, Unavailable } from './knob.js'
import { checkName, keepOffering } from './number-values.js'

/** Those of the kernel (Documentation/admin-guide/pm/intel_pstate.rst and amd-pstate.rst). */
const KNOWN = ['default', 'performance', 'balance_performance', 'balance_power', 'power']

export const epp: Knob = {
  name: 'cpu.epp',
  about: 'What processors that choose their frequency themselves prefer: energy or performance.',
  where: '/sys/devices/system/cpu/cpufreq/policyN/energy_performance_preference',
  default: 'balance_performance, mostly',
  values: `a name of ${PREFERENCES}, as performance`,
  helps: 'As cpu.governor, where the hardware manages the frequency (intel_pstate, amd_pstate).',
  harms:
    'performance: power and heat. While the governor is performance the driver takes no other preference.',
  effect: 'None that can be seen: it reads back.',
  selector: 'cpus',
  check: checkName,
  plan: async (value, selection) => {
    const policies = listPolicies(selection).filter(({ read }) => read(PREFERENCES) !== null)
    if (policies.length === 0) throw new Unavailable('the processor has no energy performance preference')
    const offering = keepOffering(value, KNOWN, policies, readWordList(PREFERENCES))
    return offering.map(policy => ({ place: policyFile(policy, PREFERENCE), to: value }))
  },
}
