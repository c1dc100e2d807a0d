import test from 'ava'
import fc from 'fast-check'
import { formatCpus } from '../../src/cli/cpus-report.js'
import { displayWidth } from '../../src/text/width.js'

const cell = (softirq_cpu: number, recv_cpu: number, requests: number) => ({
  softirq_cpu,
  recv_cpu,
  requests,
})
const steered = (driver_cpu: number, softirq_cpu: number, requests: number) => ({
  driver_cpu,
  softirq_cpu,
  requests,
})
const exit = (state: number, requests: number, mean_us: number) => ({ state, requests, mean_us })
const names = new Map([
  [0, 'POLL'],
  [1, 'C1'],
])

const format = (
  locality: ReturnType<typeof cell>[],
  idle_exits: ReturnType<typeof exit>[] = [],
  width = 80,
  steering: ReturnType<typeof steered>[] = [],
): string[] => {
  const requests = locality.reduce((sum, { requests }) => sum + requests, 0)
  return formatCpus({ locality, steering, idle_exits, depth: { requests, share: 1 } }, names, width)
}

test('the largest cells of the matrix, and the share of the others', t => {
  const cells = [cell(0, 0, 20), cell(0, 1, 40), cell(1, 0, 10), cell(1, 1, 25), cell(2, 0, 3), cell(2, 2, 2)]
  t.deepEqual(format(cells), [
    'The CPUs of the requests:',
    '  softirq→recv 0 → 1: 40 %, 1 → 1: 25 %, 0 → 0: 20 %, 1 → 0: 10 %, others 5 %',
  ])
})

test('requests that all ran on one CPU need no matrix, and those that all went to another do', t => {
  t.deepEqual(format([cell(3, 3, 100)]), [])
  t.deepEqual(format([cell(0, 1, 100)]), ['The CPUs of the requests:', '  softirq→recv 0 → 1: 100 %'])
  t.deepEqual(format([]), [])
})

test('from which CPU to which requests were steered, as shares of all', t => {
  t.deepEqual(format([cell(1, 1, 100)], [], 80, [steered(0, 1, 75), steered(2, 1, 5)]), [
    'The CPUs of the requests:',
    '  steered      0 → 1: 75 %, 2 → 1: 5 %',
  ])
})

test('idle states by their number, with their name where it is known', t => {
  t.deepEqual(format([cell(0, 0, 200)], [exit(1, 24, 61.7), exit(2, 1, 150), exit(0, 50, 0.4)]), [
    'The CPUs of the requests:',
    '  idle states  0 (POLL): 25 % × 400 ns, 1 (C1): 12 % × 61.7 µs, 2: 1 % × 150 µs',
  ])
})

test('fits its columns, down to 40', t => {
  const counts = fc.array(
    fc.record({ a: fc.nat(63), b: fc.nat(63), requests: fc.integer({ min: 1, max: 1e9 }) }),
  )
  fc.assert(
    fc.property(counts, fc.integer({ min: 40, max: 120 }), (items, width) => {
      const cells = items.map(({ a, b, requests }) => cell(a, b, requests))
      const exits = items.map(({ a, requests }) => exit(a % 10, requests, a * 7.7))
      const moved = items.map(({ a, b, requests }) => steered(a, b, requests))
      for (const line of format(cells, exits, width, moved)) t.true(displayWidth(line) <= width, line)
    }),
  )
})
