import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { buildPrograms } from '../attribution/programs.js'
import { testBehindCard } from './behind-card.js'
import { ADDRESS, labTest } from './support.js'

/** Where the machine's containers are. */
const CONTAINERS = '198.51.100.0/24'

labTest("what taut says of a card's interrupts is what the kernel counts of them", async t => {
  await buildPrograms()
  await testBehindCard(t, 'interrupts', {
    environment: { TAUT_TEST_RATE: 100 },
    prepare: async ({ netns }) => {
      await promisify(execFile)('ip', ['-n', netns, 'route', 'add', CONTAINERS, 'via', ADDRESS])
    },
  })
})
