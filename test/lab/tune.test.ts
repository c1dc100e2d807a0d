import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { buildPrograms } from '../attribution/programs.js'
import {
  askWhatServes,
  CLIENT_ADDRESS,
  compileFrequencies,
  createCard,
  ENDS,
  labTest,
  NETWORK,
  runGuest,
} from './support.js'
import { type Card, canRunInParallel } from './vm.js'

const run = promisify(execFile)

/** How many requests a second clients send, and what has to be done before. */
type Trouble = {
  name: string
  rate: number
  prepare?: (card: Card) => Promise<unknown>
}

/** Has clients acknowledge replies at once, and not with their next request: by that taut knows what waits in the card. */
const acknowledgeAtOnce = ({ netns, tap }: Card): Promise<unknown> =>
  run('ip', ['-n', netns, 'route', 'change', NETWORK, 'dev', tap, 'src', CLIENT_ADDRESS, 'quickack', '1'])

const TROUBLES: Readonly<Record<string, Trouble>> = {
  // More than the fewest that tune can tell by, and not many for an emulated machine at half its frequency.
  governor: { name: 'the powersave governor', rate: 170 },
  coalescing: {
    name: 'a card that waits before it interrupts',
    rate: 170,
    prepare: acknowledgeAtOnce,
  },
  interrupts: { name: "interrupts on the service's CPU", rate: 220, prepare: buildPrograms },
}

for (const [trouble, { name, rate, prepare }] of Object.entries(TROUBLES)) {
  labTest(
    `tune cures ${name}, and where that is right it changes nothing`,
    async t => {
      const card = await createCard(t, 'e1000e')
      await prepare?.(card)
      const frequencies = await compileFrequencies(t)
      const onOutput = askWhatServes(t, card, rate)
      const environment = { ...ENDS, TAUT_LAB_TROUBLE: trouble }
      await runGuest(t, 'tune', { card, frequencies, parallel: true, onOutput, environment })
    },
    // Where its CPUs take turns, what one does is in the way of the other, and the noise hides what a setting does.
    canRunInParallel() ? null : 'needs QEMU 10',
  )
}
