import { buildPrograms } from '../attribution/programs.js'
import { testBehindCard } from './behind-card.js'
import { RATE } from './rate.js'
import { labTest } from './support.js'

labTest(
  'finds most of a delay in the stage where it was injected, behind a card that interrupts',
  async t => {
    await buildPrograms()
    await testBehindCard(t, 'order', { environment: { TAUT_TEST_RATE: RATE } })
  },
)
