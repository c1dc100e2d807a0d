import type { Knob } from './knob.js'
import { readWord } from './number-values.js'
import { keepPresent } from './present.js'

const PLACE = { kind: 'file', path: '/sys/kernel/mm/transparent_hugepage/enabled', form: 'choice' } as const

const read = (value: string): string => readWord(value, ['always', 'madvise', 'never'])

export const thp: Knob = {
  name: 'vm.thp',
  about: 'Whether the kernel gives programs huge pages, unasked.',
  where: PLACE.path,
  default: 'madvise or always, by distribution',
  values: 'always, madvise, never',
  helps: 'Compaction or khugepaged runs inside requests: `app_cpu` has a long tail for no reason of its own.',
  harms: 'never: more misses of the TLB, in services with much memory.',
  effect: 'None that can be seen at once: it reads back; pages that are huge already stay.',
  selector: null,
  check: read,
  plan: value =>
    keepPresent([{ place: PLACE, to: read(value) }], 'this kernel has no transparent huge pages'),
}
