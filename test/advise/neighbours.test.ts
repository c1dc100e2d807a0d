import test from 'ava'
import { findNeighbours, placeNeighbour } from '../../src/advise/neighbours.js'
import type { ProcessTimes } from '../../src/system/process-times.js'

const TAUT = 500

const at = (
  pid: number,
  comm: string,
  startTime: number,
  ticks: number,
  rest: Partial<ProcessTimes> = {},
): ProcessTimes => ({
  pid,
  comm,
  parent: 1,
  session: 1,
  isKernel: false,
  startTime,
  ticks,
  cpu: 1,
  ...rest,
})

const between = { ticks: 100, service: [], taut: TAUT }

test('a process counts by what it took meanwhile, also when it has another name by then', t => {
  const before = [at(8, 'kworker/u8:4-flush', 5, 9000), at(9, 'hog', 6, 100), at(10, 'idle', 7, 50)]
  const after = [at(8, 'kworker/u8:4-events', 5, 9001), at(9, 'hog', 6, 190), at(10, 'idle', 7, 51)]
  t.deepEqual(findNeighbours(before, after, between), [{ pid: 9, comm: 'hog', share: 0.9, cpu: 1 }])
})

test('what began meanwhile counts whole, under a number that was used before too', t => {
  const found = findNeighbours(
    [at(9, 'hog', 6, 5000)],
    [at(9, 'hog', 700, 40), at(11, 'new', 701, 30)],
    between,
  )
  t.deepEqual(
    found.map(({ share }) => share),
    [0.4, 0.3],
  )
})

test('it is on the CPUs where its threads worked meanwhile, and not where one did long ago', t => {
  const hog = { pid: 9, comm: 'hog', share: 1.9, cpu: 0 }
  const threads = [
    { tid: 9, ticks: 50_000, cpu: 0 },
    { tid: 10, ticks: 100, cpu: 1 },
    { tid: 11, ticks: 2090, cpu: 2 },
    { tid: 12, ticks: 3, cpu: 3 },
  ]
  const before = new Map([
    [9, 50_000],
    [11, 2000],
  ])
  const place = (share: number) =>
    placeNeighbour({ ...hog, share }, threads, tid => before.get(tid) ?? 0, 100).map(
      ({ cpu, share }) => `${cpu}: ${share.toFixed(2)}`,
    )
  t.deepEqual(place(1.93), ['1: 1.00', '2: 0.90'])
  // The rest is of threads that have ended.
  t.deepEqual(place(2.43), ['0: 0.50', '1: 1.00', '2: 0.90'])
  t.deepEqual(
    placeNeighbour(hog, [], () => 0, 100),
    [{ ...hog, share: 1 }],
  )
})

const namesOf = (...processes: ProcessTimes[]): string[] =>
  findNeighbours([], processes, { ...between, service: [9] }).map(({ comm }) => comm)

test('the service and taut are nobody’s neighbours, nor is a thread of the kernel', t => {
  const found = namesOf(
    at(9, 'memcached', 6, 90),
    at(TAUT, 'node', 6, 90),
    at(16, 'ksoftirqd/0', 6, 90, { isKernel: true }),
    at(17, 'hog', 6, 90),
  )
  t.deepEqual(found, ['hog'])
})

test('what taut has started is no neighbour, though its parent is gone or it has a session of its own', t => {
  const found = namesOf(
    at(TAUT, 'node', 6, 0, { session: 400 }),
    at(501, 'sh', 6, 0, { parent: TAUT, session: 501 }),
    at(502, 'load', 6, 90, { parent: 501, session: 501 }),
    at(503, 'orphan', 6, 90, { session: 501 }),
    at(504, 'daemon', 6, 90, { parent: 502, session: 504 }),
    // Of the same terminal as taut.
    at(505, 'hog', 6, 90, { session: 400 }),
  )
  t.deepEqual(found, ['hog'])
})
