import type { Knob } from './knob.js'
import { nicFile, requireNics } from './nic-places.js'
import { readWhole } from './number-values.js'
import { keepPresent } from './present.js'

type Part = Pick<Knob, 'name' | 'about' | 'default' | 'values' | 'effect'> & {
  file: string
  max: number
  unit: string
}

const createKnob = ({ file, max, unit, ...part }: Part): Knob => {
  const read = (value: string): string => readWhole(value, 0, max, unit)
  return {
    ...part,
    where: `/sys/class/net/NIC/${file}`,
    helps: 'About one packet an interrupt, and very many interrupts a second. The two knobs work together.',
    harms: 'A timer longer than the pause between packets adds its time to requests.',
    isBeforeStages: true,
    selector: 'nic',
    check: read,
    plan: async (value, selection) => {
      const nics = requireNics(selection)
      const to = read(value)
      return keepPresent(
        nics.map(nic => ({ place: nicFile(nic, file), to })),
        `this kernel has no ${file}`,
      )
    },
  }
}

export const napiDeferHardIrqs = createKnob({
  name: 'net.napi_defer_hard_irqs',
  about:
    'How many times the card is looked at by a timer, with nothing found, before its interrupts are on again.',
  file: 'napi_defer_hard_irqs',
  default: '0',
  values: 'a count, as 100; 0 turns it off',
  effect: 'None that can be seen at once: it reads back; fewer interrupts are for a measurement to show.',
  max: 10_000,
  unit: 'times',
})

export const groFlushTimeout = createKnob({
  name: 'net.gro_flush_timeout',
  about: 'How long packets may wait to be merged, and the time of the timer of net.napi_defer_hard_irqs.',
  file: 'gro_flush_timeout',
  default: '0',
  values: 'nanoseconds, as 20000; 0 turns it off',
  effect:
    'None that can be seen at once: it reads back; what it adds to `driver` and `steer` is for a measurement to show.',
  max: 10_000_000,
  unit: 'nanoseconds',
})
