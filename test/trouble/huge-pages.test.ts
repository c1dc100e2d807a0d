import { testTrouble } from './trouble.js'
import { WITH_ARENA } from './world.js'

testTrouble({
  name: 'huge pages for memory that is given back at once',
  kind: WITH_ARENA,
  prepare: world => world.giveHugePages('madvise'),
  plant: world => world.giveHugePages('always'),
  culprit: { knob: 'vm.thp', to: /^never$/, why: /huge pages/ },
})
