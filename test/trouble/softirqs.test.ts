import { testTrouble } from './trouble.js'
import { COMPUTING } from './world.js'

testTrouble({
  name: 'the service pinned to the CPU that takes all softirqs',
  kind: COMPUTING,
  prepare: async world => {
    await world.keepAwake()
    await world.startForwarding(0)
    await world.pinService('1')
  },
  plant: world => world.pinService('0'),
  culprit: { knob: 'cpu.app_affinity', to: /^1\b/, why: /^packets come in on CPU 0/ },
})
