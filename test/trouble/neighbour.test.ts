import { testTrouble } from './trouble.js'

testTrouble({
  name: "a neighbour on the service's CPU",
  prepare: async world => {
    await world.startNeighbour(1)
    await world.pinService('0')
  },
  plant: world => world.pinService('1'),
  culprit: { knob: 'cpu.app_affinity', to: /^0\b/, why: /^sh \(\d+\) runs on CPU 1/ },
})
