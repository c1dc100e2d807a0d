import test from 'ava'
import { findNeighbours } from '../../src/advise/neighbours.js'
import type { ProcessTimes } from '../../src/system/process-times.js'

const at = (pid: number, comm: string, startTime: number, ticks: number): ProcessTimes => ({
  pid,
  comm,
  startTime,
  ticks,
  cpu: 1,
})

test('a process counts by what it took meanwhile, also when it has another name by then', t => {
  const before = [at(8, 'kworker/u8:4-flush', 5, 9000), at(9, 'hog', 6, 100), at(10, 'idle', 7, 50)]
  const after = [at(8, 'kworker/u8:4-events', 5, 9001), at(9, 'hog', 6, 190), at(10, 'idle', 7, 51)]
  t.deepEqual(findNeighbours(before, after, 100, []), [{ pid: 9, comm: 'hog', share: 0.9, cpu: 1 }])
})

test('what began meanwhile counts whole, under a number that was used before too', t => {
  const found = findNeighbours(
    [at(9, 'hog', 6, 5000)],
    [at(9, 'hog', 700, 40), at(11, 'new', 701, 30)],
    100,
    [],
  )
  t.deepEqual(
    found.map(({ share }) => share),
    [0.4, 0.3],
  )
})

test('the service and taut are nobody’s neighbours', t => {
  t.deepEqual(findNeighbours([], [at(9, 'memcached', 6, 90)], 100, [9]), [])
})
