import { buildPrograms } from '../attribution/programs.js'
import { RATE } from './rate.js'
import { labTest, runGuest } from './support.js'

labTest(
  'finds most of a delay in the stage where it was injected, on a virtual wire within the machine',
  async t => {
    await buildPrograms()
    await runGuest(t, 'order-within', { environment: { TAUT_TEST_RATE: RATE } })
  },
)
