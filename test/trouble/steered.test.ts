import { testTrouble } from './trouble.js'

testTrouble({
  name: 'RPS pointing at a CPU that a neighbour burns',
  prepare: async world => {
    await world.startReceiver(1)
    await world.pinService('0')
  },
  plant: world => world.steer('2'),
  culprit: { knob: 'net.rps', to: /^0*$/, why: /CPU 1 \(RPS\), where \w+ \(\d+\) takes the time/ },
})
