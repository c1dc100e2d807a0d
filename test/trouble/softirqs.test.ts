import { testTrouble } from './trouble.js'

testTrouble({
  name: 'the service pinned to the CPU that takes all softirqs',
  prepare: async world => {
    await world.pinService('1')
  },
  plant: world => world.pinService('0'),
  culprit: { knob: 'cpu.app_affinity', to: /^1\b/, why: /CPU 0/ },
})
