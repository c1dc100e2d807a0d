import { execFileSync, spawnSync } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { listOnlineCpus } from '../../src/system/cpus.js'
import { listNapiThreads, listThreads, readThread } from '../../src/system/threads.js'
import { createMachine, within } from './fixtures/machine.js'
import { createNetns, whyNoNetns } from './fixtures/netns.js'

/** As proc(5) has it: the start time is field 22, the flags field 9; of `status` the kernel escapes line breaks. */
const stat = (
  id: number,
  comm: string,
  { flags = 0, startTime = 100 }: { flags?: number; startTime?: number },
) =>
  `${id} (${comm}) S 1 1 1 0 -1 ${flags} 0 0 0 0 5 6 7 8 20 0 2 0 ${startTime} 10000000 500 18446744073709551615\n`

const threadFiles = (
  pid: number,
  tid: number,
  comm: string,
  of: { flags?: number; startTime?: number; cpus?: string },
) =>
  within(`proc/${pid}`, {
    stat: stat(pid, comm, of),
    [`task/${tid}/stat`]: stat(tid, comm, of),
    [`task/${tid}/status`]: `Name:\t${comm.replaceAll('\n', '\\n')}\nCpus_allowed:\tf\nCpus_allowed_list:\t${of.cpus ?? '0-3'}\n`,
  })

test('threads with names that look like other fields', t => {
  const [, proc] = createMachine(t, {
    ...threadFiles(7, 7, 'main) R 1 (2', { startTime: 4711, cpus: '0,2-3' }),
    ...threadFiles(7, 9, '\u001B[2Jx\nCpus_allowed_list:\t9', { startTime: 4712, cpus: '1' }),
    'proc/7/task/11/stat': '',
    'proc/7/task/12/stat': '12 no name\n',
  })
  const [main, other, ...others] = listThreads(7, proc)
  t.deepEqual(main, { tid: 7, comm: 'main) R 1 (2', startTime: 4711, cpus: [0, 2, 3] })
  t.is(other?.comm, 'xCpus_allowed_list:9')
  t.deepEqual(other?.cpus, [1])
  t.deepEqual(others, [])
  t.deepEqual(listThreads(8, proc), [])
  t.is(readThread(7, 8, proc), null)
})

const KTHREAD = 0x0020_0000 | 0x40

test('the threads of threaded NAPI, and no program that took their name', t => {
  const [, proc] = createMachine(t, {
    ...threadFiles(40, 40, 'napi/eth0-8193', { flags: KTHREAD, cpus: '1' }),
    ...threadFiles(41, 41, 'napi/eth0-8194', { flags: KTHREAD }),
    ...threadFiles(42, 42, 'napi/eth01-8195', { flags: KTHREAD }),
    ...threadFiles(43, 43, 'napi/eth0-8196', { flags: 0x400000 }),
    ...threadFiles(44, 44, 'napi/eth0-x', { flags: KTHREAD }),
    ...threadFiles(45, 45, 'napi/eth0-2-819', { flags: KTHREAD }),
  })
  t.deepEqual(
    listNapiThreads('eth0', proc).map(({ tid, cpus }) => [tid, cpus]),
    [
      [40, [1]],
      [41, [0, 1, 2, 3]],
    ],
  )
})

test('of names that were cut, only those that are one device’s for sure', t => {
  const dev = (...names: string[]) => ({
    'proc/net/dev': [
      'Inter-|   Receive',
      ' face |bytes',
      ...names.map(name => `${name.padStart(6)}:  0 0`),
      '',
    ].join('\n'),
  })
  const threads = {
    ...threadFiles(50, 50, 'napi/enp195s0np', { flags: KTHREAD }),
    ...threadFiles(51, 51, 'napi/wlp0s20f3-', { flags: KTHREAD }),
    ...threadFiles(52, 52, 'napi/enp195s0np0-8263', { flags: KTHREAD }),
  }
  const listTids = (nic: string, proc: string) => listNapiThreads(nic, proc).map(({ tid }) => tid)
  const [, one] = createMachine(t, { ...threads, ...dev('lo', 'enp195s0np0', 'wlp0s20f3') })
  t.deepEqual(listTids('enp195s0np0', one), [50, 52])
  t.deepEqual(listTids('wlp0s20f3', one), [51])
  const [, two] = createMachine(t, { ...threads, ...dev('enp195s0np0', 'enp195s0np1') })
  t.deepEqual(listTids('enp195s0np0', two), [52])
  t.deepEqual(listTids('enp195s0np1', two), [])
})

test('this process’s threads are those that ps lists, and may run where taskset says', async t => {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
  t.teardown(() => worker.terminate())
  await new Promise(resolve => worker.once('online', resolve))
  const readPs = (): string[] =>
    execFileSync('ps', ['-L', '-p', String(process.pid), '-o', 'lwp='], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
  const before = readPs()
  const threads = listThreads(process.pid)
  const after = readPs()
  t.deepEqual(
    before
      .filter(tid => after.includes(tid))
      .filter(tid => !threads.some(thread => String(thread.tid) === tid)),
    [],
  )
  t.true(threads.every(({ tid }) => before.includes(String(tid)) || after.includes(String(tid))))
  const own = threads.find(({ tid }) => tid === process.pid)
  const told = execFileSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' })
  t.is(own?.cpus.length, Number(execFileSync('nproc')))
  t.regex(told, new RegExp(`: ${own?.cpus.length === 1 ? own.cpus[0] : `${own?.cpus[0]}[-,].*`}\\s*$`))
  t.deepEqual(readThread(process.pid, process.pid), own ?? null)
})

const whyNot =
  spawnSync('ethtool', ['--version']).error === undefined
    ? whyNoNetns()
    : 'there is no ethtool to give a device NAPI with'
const onRealKernel = whyNot === null ? test : test.skip

onRealKernel(`the kernel’s NAPI threads of a device are found${whyNot === null ? '' : ` (${whyNot})`}`, t => {
  using netns = createNetns()
  const run = (command: string[], input?: string) => {
    const [file = '', ...args] = [...netns.exec, ...command]
    execFileSync(file, args, { stdio: 'pipe', input })
  }
  const nic = `napi${process.pid}`
  run(['ip', 'link', 'add', nic, 'type', 'veth', 'peer', 'name', 'peer'])
  run(['ip', 'link', 'set', nic, 'up'])
  run(['ethtool', '-K', nic, 'gro', 'on'])
  t.deepEqual(listNapiThreads(nic), [])
  run(['tee', `/sys/class/net/${nic}/threaded`], '1')
  const threads = listNapiThreads(nic)
  t.is(threads.length, 1)
  t.regex(threads[0]?.comm ?? '', new RegExp(`^napi/${nic}-\\d*$`))
  t.is(threads[0]?.cpus.length, listOnlineCpus().length)
})
