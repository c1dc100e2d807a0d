import test from 'ava'
import { readProcessTimes, readThreadTimes } from '../../src/system/process-times.js'
import { createMachine } from './fixtures/machine.js'

/** proc_pid_stat(5), with 30 + 12 ticks on CPUs, begun at 777. */
const stat = (id: number, comm: string, cpu: number, user = 30): string =>
  `${id} (${comm}) S 1 ${id} ${id} 0 -1 4194304 100 0 0 0 ${user} 12 0 0 20 0 1 0 777 1000 100 ${'0 '.repeat(14)}${cpu} 0 0\n`

test('the times of processes, whatever they are called, and of a process’s threads', t => {
  const [, proc] = createMachine(t, {
    'proc/7/stat': stat(7, 'a (b) c', 1),
    'proc/7/task/7/stat': stat(7, 'a (b) c', 1),
    'proc/7/task/8/stat': stat(8, 'worker', 0, 900),
    'proc/9/stat': 'nonsense\n',
  })
  t.deepEqual(readProcessTimes(proc), [{ pid: 7, comm: 'a (b) c', startTime: 777, ticks: 42, cpu: 1 }])
  t.deepEqual(readThreadTimes(7, proc), [
    { tid: 7, ticks: 42, cpu: 1 },
    { tid: 8, ticks: 912, cpu: 0 },
  ])
  t.deepEqual(readThreadTimes(10, proc), [])
})
