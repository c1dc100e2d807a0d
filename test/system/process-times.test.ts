import test from 'ava'
import { readProcessTimes, readThreadTimes } from '../../src/system/process-times.js'
import { createMachine } from './fixtures/machine.js'

/** proc_pid_stat(5), with 30 + 12 ticks on CPUs, begun at 777. */
const stat = (id: number, comm: string, cpu: number, user = 30, flags = 4194304): string =>
  `${id} (${comm}) S 1 ${id} ${id} 0 -1 ${flags} 100 0 0 0 ${user} 12 0 0 20 0 1 0 777 1000 100 ${'0 '.repeat(14)}${cpu} 0 0\n`

test('the times of processes, whatever they are called, and of a process’s threads', t => {
  const [, proc] = createMachine(t, {
    'proc/7/stat': stat(7, 'a (b) c', 1),
    'proc/7/task/7/stat': stat(7, 'a (b) c', 1),
    'proc/7/task/8/stat': stat(8, 'worker', 0, 900),
    'proc/9/stat': 'nonsense\n',
    // Of a virtual machine's ksoftirqd/0.
    'proc/16/stat': stat(16, 'ksoftirqd/0', 0, 30, 69238848),
  })
  const times = { parent: 1, startTime: 777, ticks: 42 }
  t.deepEqual(readProcessTimes(proc), [
    { pid: 7, comm: 'a (b) c', session: 7, isKernel: false, cpu: 1, ...times },
    { pid: 16, comm: 'ksoftirqd/0', session: 16, isKernel: true, cpu: 0, ...times },
  ])
  t.deepEqual(readThreadTimes(7, proc), [
    { tid: 7, ticks: 42, cpu: 1 },
    { tid: 8, ticks: 912, cpu: 0 },
  ])
  t.deepEqual(readThreadTimes(10, proc), [])
})
