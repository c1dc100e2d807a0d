import test from 'ava'
import { readFrequencies } from '../../src/system/frequencies.js'
import { createMachine, within } from './fixtures/machine.js'

test('CPUs with one frequency each, or together; what the driver does not tell is null', t => {
  const [sys] = createMachine(
    t,
    within('sys/devices/system/cpu/cpufreq', {
      'policy0/affected_cpus': '0 1 2 3\n',
      'policy0/scaling_cur_freq': '600000\n',
      'policy0/scaling_max_freq': '1500000\n',
      'policy0/scaling_governor': 'ondemand\n',
      'policy4/affected_cpus': '4\n',
      'policy4/scaling_cur_freq': '<unknown>\n',
    }),
  )
  t.deepEqual(readFrequencies(sys), [
    { cpus: [0, 1, 2, 3], khz: 600_000, maxKhz: 1_500_000, governor: 'ondemand' },
    { cpus: [4], khz: null, maxKhz: null, governor: null },
  ])
  t.deepEqual(readFrequencies(`${sys}/none`), [])
})
