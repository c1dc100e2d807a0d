import { askWhatServes, compileFrequencies, createCard, ENDS, labTest, runGuest } from './support.js'

/** Requests a second: an emulated machine is slow. */
const RATE = 100

labTest(
  'names a slow governor, lazy coalescing and interrupts on the CPU of the service, each where it is there',
  async t => {
    const card = await createCard(t, 'e1000e')
    const frequencies = await compileFrequencies(t)
    const onOutput = askWhatServes(t, card, RATE)
    await runGuest(t, 'advise', { card, frequencies, onOutput, environment: ENDS })
  },
)
