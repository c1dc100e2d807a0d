import type { Knob } from './knob.js'
import { readWord } from './number-values.js'
import { keepPresent } from './present.js'

type Part = Pick<Knob, 'name' | 'about' | 'default' | 'helps' | 'harms'> & { file: string; missing: string }

const read = (value: string): string => readWord(value, ['0', '1'])

const createKnob = ({ file, missing, ...part }: Part): Knob => ({
  ...part,
  where: `/proc/sys/kernel/${file}`,
  values: '0, 1',
  effect: 'None that can be seen: it reads back.',
  selector: null,
  check: read,
  plan: value =>
    keepPresent(
      [
        {
          place: { kind: 'file', path: `/proc/sys/kernel/${file}`, form: 'text' },
          to: read(value),
        },
      ],
      missing,
    ),
})

export const numaBalancing = createKnob({
  name: 'kernel.numa_balancing',
  about: 'Whether the kernel moves memory to the node where it is used, for which it makes accesses fault.',
  file: 'numa_balancing',
  default: '1 on machines with several nodes',
  helps: 'Faults of that kind inside requests, on machines with several memory nodes.',
  harms: 'Memory stays on the far node.',
  missing: 'this kernel has no NUMA balancing, and most likely one memory node',
})

export const timerMigration = createKnob({
  name: 'kernel.timer_migration',
  about: "Whether idle CPUs hand their timers to others, which then run other CPUs' timers.",
  file: 'timer_migration',
  default: '1',
  helps: 'Timers of others run on a CPU that was kept free for the service.',
  harms: 'Idle CPUs wake for their own timers.',
  missing: 'this kernel has no such switch',
})
