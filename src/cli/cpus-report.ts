import type {
  IdleExitDocument,
  LocalityDocument,
  MeasureDocument,
  SteeringDocument,
} from '../latency/document.js'
import { printable } from '../text/printable.js'
import { formatDuration, formatShare } from '../text/units.js'
import { alignLeft, wrap } from '../text/width.js'

const LABEL = 15
const MOST = 4

/** What the idle states of a machine are called, by cpuidle's numbers. */
export type IdleNames = ReadonlyMap<number, string>

/**
 * On which CPUs the requests were for people: from which CPU's driver to which CPU's softirq they were steered, the largest
 * cells of the matrix of locality, unless it has only one that is one CPU's, and the idle states that a CPU had to leave for a
 * request. No lines where there is nothing of them all.
 */
export const formatCpus = (
  {
    locality,
    steering,
    idle_exits,
    depth,
  }: Pick<MeasureDocument, 'locality' | 'steering' | 'idle_exits' | 'depth'>,
  names: IdleNames,
  width: number,
): string[] => {
  const rows = [
    ['steered', describeSteering(steering, depth.requests)],
    ['softirq→recv', describeLocality(locality)],
    ['idle states', describeIdleExits(idle_exits, depth.requests, names)],
  ] as const
  const text = rows.flatMap(([label, parts]) =>
    wrap(parts.join(', '), width - LABEL)
      .filter(() => parts.length > 0)
      .map((line, index) => `${alignLeft(index === 0 ? `  ${label}` : '', LABEL)}${line}`),
  )
  return text.length === 0 ? [] : ['The CPUs of the requests:', ...text]
}

const describeSteering = (steering: readonly SteeringDocument[], all: number): string[] =>
  describeLargest(
    steering,
    all,
    ({ driver_cpu, softirq_cpu, requests }) =>
      `${driver_cpu} → ${softirq_cpu}: ${formatShare(requests / all)}`,
  )

const describeLocality = (locality: readonly LocalityDocument[]): string[] => {
  const [first, ...more] = locality
  if (first === undefined || (more.length === 0 && first.softirq_cpu === first.recv_cpu)) return []
  const all = locality.reduce((sum, { requests }) => sum + requests, 0)
  return describeLargest(
    locality,
    all,
    ({ softirq_cpu, recv_cpu, requests }) => `${softirq_cpu} → ${recv_cpu}: ${formatShare(requests / all)}`,
  )
}

const describeIdleExits = (exits: readonly IdleExitDocument[], all: number, names: IdleNames): string[] =>
  describeLargest(exits, all, ({ state, requests, mean_us }) => {
    const name = names.get(state)
    const named = name === undefined ? `${state}` : `${state} (${printable(name)})`
    return `${named}: ${formatShare(requests / all)} × ${formatDuration(mean_us)}`
  })

/** The largest first, and the share of all others together. */
const describeLargest = <Item extends { requests: number }>(
  items: readonly Item[],
  all: number,
  describe: (item: Item) => string,
): string[] => {
  const sorted = items.toSorted((a, b) => b.requests - a.requests)
  const others = sorted.slice(MOST).reduce((sum, { requests }) => sum + requests, 0)
  return [
    ...sorted.slice(0, MOST).map(describe),
    ...(others === 0 ? [] : [`others ${formatShare(others / all)}`]),
  ]
}
