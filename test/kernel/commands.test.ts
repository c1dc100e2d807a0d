import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { probeIter } from 'libbpf-ts'
import { PROBES } from '../../src/probes/support.js'
import { readProcessTimes } from '../../src/system/process-times.js'
import { assertAddsUp } from './support/assertions.js'
import { NO_BPF } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import type { Context } from './support/kernel-test.js'
import { kernelTest } from './support/kernel-test.js'
import { listStrays } from './support/leftovers.js'
import { connectFirst, runLoad } from './support/load.js'
import { type Ending, endProcess, startProcess } from './support/processes.js'
import { findFreePort, startMemcached, startService } from './support/services.js'
import { runTaut, startMeasuring, TAUT } from './support/taut.js'

const ESCAPE = '\u001b'

/** Asserts that a command ended with a message for people, and gave no data. */
const assertFailure = (t: Context, { code, stdout, stderr }: Ending, exitCode: number, message: RegExp) => {
  t.is(code, exitCode, stderr)
  t.regex(stderr, message)
  t.is(stdout, '')
  t.false(stderr.includes('    at '), 'a message and no stack')
}

kernelTest('a port on which nothing listens: exit 1, and what does listen', async t => {
  const service = await startService(t)
  const port = await findFreePort()
  const ending = await runTaut(t, ['measure', '--port', port])
  assertFailure(t, ending, 1, new RegExp(`^taut: nothing listens on port ${port}; listening: `))
  t.true(ending.stderr.includes(`service ${service.port}`))
})

kernelTest('a process that is gone: exit 1', async t => {
  const { pid, ended } = await startProcess(t, 'true', [])
  await ended
  const ending = await runTaut(t, ['measure', '--pid', pid])
  assertFailure(t, ending, 1, new RegExp(`^taut: there is no process ${pid}`))
})

kernelTest('a process that does not listen: exit 1', async t => {
  const { pid } = await startProcess(t, 'cat', [])
  const ending = await runTaut(t, ['measure', '--pid', pid])
  assertFailure(t, ending, 1, new RegExp(`^taut: nothing listens on a TCP port of process ${pid}`))
})

/** As somebody who may read every file, so that where the project lies does not matter, and nothing more. */
const AS_NOBODY = [
  ...['--reuid=65534', '--regid=65534', '--clear-groups'],
  ...['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'],
]

for (const command of ['measure', 'live', 'demo', 'doctor']) {
  kernelTest(
    `taut ${command} without root: exit 4, and what is missing`,
    async t => {
      const running = await startProcess(t, 'setpriv', [...AS_NOBODY, process.execPath, TAUT, command])
      const ending = await running.ended
      t.is(ending.code, 4, ending.stderr)
      const text = command === 'doctor' ? ending.stdout : ending.stderr
      for (const name of ['CAP_BPF', 'CAP_PERFMON', 'CAP_SYS_PTRACE']) t.true(text.includes(name), text)
      t.true(text.includes('sudo taut'))
    },
    'setpriv',
  )
}

for (const command of [['measure'], ['doctor'], ['demo', '--for', '1s']]) {
  kernelTest(`taut ${command.join(' ')} on a kernel without BPF: exit 3`, async t => {
    const service = await startService(t)
    const target = command[0] === 'measure' ? ['--port', service.port] : []
    const running = await startProcess(t, NO_BPF, [process.execPath, TAUT, ...command, ...target])
    const ending = await running.ended
    t.is(ending.code, 3, ending.stderr)
    t.regex(command[0] === 'doctor' ? ending.stdout : ending.stderr, /not implemented|ENOSYS/i)
  })
}

kernelTest('a ready file that cannot be written: exit 1', async t => {
  const service = await startService(t)
  const path = join(await createFolder(t), 'nowhere', 'ready')
  const ending = await runTaut(t, ['measure', '--port', service.port, '--ready-file', path])
  assertFailure(t, ending, 1, /^taut: cannot write the ready file: /)
})

/** Some kernels let nobody load an iterator over a map; clients are then measured without it. */
const isRefused = (point: string): boolean =>
  point === 'iter/bpf_sk_storage_map' && probeIter('bpf_sk_storage_map').code === 'EPERM'

for (const [kind, ...options] of [['tp_btf'], ['raw_tp', '--btf', '/sys/kernel/btf/vmlinux']] as const) {
  const expected = PROBES.filter(probe => (probe.kind ?? kind) === kind)
  const title = ['doctor', ...options].join(' ')

  kernelTest(`${title}: every probe of taut, yes on this kernel`, async t => {
    const { code, stdout, stderr } = await runTaut(t, ['doctor', ...options])
    t.is(code, 0, stdout)
    t.is(stderr, '')
    for (const { point } of expected)
      t.true(stdout.includes(`${isRefused(point) ? 'NO ' : 'yes'}  ${point} `), point)
    t.false(stdout.includes(ESCAPE))
  })

  kernelTest(`${title} --json: the same for programs`, async t => {
    const { code, stdout, stderr } = await runTaut(t, ['doctor', ...options, '--json'])
    t.is(code, 0, stdout)
    t.is(stderr, '')
    const { schema, checks, loads, probes } = JSON.parse(stdout)
    t.is(schema, 1)
    t.deepEqual(
      checks.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
      ['permission', 'bpf', 'btf', 'jit', 'architecture', 'node', 'libbpf', 'clang', 'gcc'].map(name => [
        name,
        true,
      ]),
    )
    t.deepEqual(
      loads.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
      ['tcp', 'udp', 'clients', 'overheads', 'traffic'].map(purpose => [`load ${purpose}`, true]),
    )
    t.deepEqual(
      probes.map(({ program, ok }: { program: string; ok: boolean }) => [program, ok]),
      expected.map(({ program, point }) => [program, !isRefused(point)]),
    )
  })
}

kernelTest(
  'measure: as many requests a second as the client keeps sending by the clock',
  async t => {
    const service = await startMemcached(t)
    const rate = 2000
    const send = await connectFirst(t, { port: service.port, requests: 15 * rate, rate })
    const sending = send()
    const { stdout } = await runTaut(t, ['measure', '--port', service.port, '--for', '3s', '--json'])
    const { requests, seconds } = JSON.parse(stdout)
    // What the client could not send on time, it sends as soon as it can: a tenth of a second's at most.
    t.true(Math.abs(requests - rate * seconds) <= rate / 10, `${requests} in ${seconds} s`)
    await sending
  },
  'memcached',
)

kernelTest(
  "measure: the service's CPU and memory, and that taut takes less than 100 MB",
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    const readTicks = () =>
      readProcessTimes().find(({ pid }) => pid === service.pid)?.ticks ?? t.fail('memcached is gone')
    const before = readTicks()
    await runLoad(t, { port: service.port, connections: 8, requests: 100_000 })
    const after = readTicks()
    const { service: usage, seconds, cost } = await measurement.stop()
    // In ticks of 10 ms, and the two readings are some milliseconds apart from the document's.
    const ticks = ((usage.cpu_percent ?? 0) * seconds) / 100 / 0.01
    t.true(Math.abs(ticks - (after - before)) <= 3 + (after - before) / 20, `${ticks} of ${after - before}`)
    const status = readFileSync(`/proc/${service.pid}/status`, 'utf8')
    const rss = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
    t.true(Math.abs((usage.rss_bytes ?? 0) / rss - 1) < 0.1, `${usage.rss_bytes} of ${rss}`)
    t.true((cost.agent_rss_bytes ?? Number.NaN) < 100e6, String(cost.agent_rss_bytes))
  },
  'memcached',
)

kernelTest(
  'measure: a service that starts anew is named as it is now, and what it took of a core is not known',
  async t => {
    const first = await startMemcached(t)
    const measurement = await startMeasuring(t, '--port', first.port)
    await runLoad(t, { port: first.port, requests: 1000 })
    await endProcess(first)
    const second = await startMemcached(t, ['-p', first.port])
    t.is(second.port, first.port)
    await runLoad(t, { port: second.port, requests: 1000 })
    const { requests, target, service } = await measurement.stop()
    t.is(requests, 2000)
    t.deepEqual([target.port, target.pid, target.comm], [second.port, second.pid, 'memcached'])
    t.is(service.cpu_percent, null)
    t.true((service.rss_bytes ?? 0) > 0)
  },
  'memcached',
)

kernelTest(
  'measure: a service that has ended is named as it was, and what it took is not known',
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, requests: 1000 })
    await endProcess(service)
    const { target, service: usage } = await measurement.stop()
    t.deepEqual([target.pid, target.comm], [service.pid, 'memcached'])
    t.deepEqual(usage, { cpu_percent: null, rss_bytes: null })
  },
  'memcached',
)

kernelTest('measure: text for people where no --json is given', async t => {
  const service = await startService(t)
  const { code, stdout, stderr } = await runTaut(t, ['measure', '--port', service.port, '--for', '500ms'])
  t.is(code, 0, stderr)
  t.true(stdout.includes('No request was answered in this time.'))
  t.true(stdout.includes('Lost: nothing'))
  t.false(stdout.includes(ESCAPE))
})

kernelTest(
  'measure without a target: the service with the most traffic, by name',
  async t => {
    const [idle, busy] = [await startService(t), await startMemcached(t)]
    // Sends until the test is over.
    void runLoad(t, { port: busy.port, connections: 2, rate: 4000, requests: 1_000_000 }).catch(
      () => undefined,
    )
    const running = await startProcess(t, process.execPath, [TAUT, 'measure', '--for', '500ms', '--json'])
    const { code, stdout, stderr } = await running.ended
    t.is(code, 0, stderr)
    t.is(stderr, `taut: chose memcached ${busy.port}, the service with the most traffic\n`)
    const document = JSON.parse(stdout)
    t.deepEqual(document.target, {
      role: 'server',
      port: busy.port,
      protocol: 'tcp',
      comm: 'memcached',
      pid: busy.pid,
    })
    t.not(idle.port, busy.port)
    t.true(document.requests > 0)
    assertAddsUp(t, document)
  },
  'memcached',
)

kernelTest('measure names the service by process, by program and by network namespace', async t => {
  const service = await startService(t)
  for (const target of [
    ['--pid', service.pid],
    ['--port', service.port, '--comm', 'service'],
    ['--port', service.port, '--netns', '/proc/self/ns/net'],
  ]) {
    const measurement = await startMeasuring(t, ...target)
    await runLoad(t, { port: service.port, requests: 100 })
    const { requests, target: named } = await measurement.stop()
    t.deepEqual([requests, named.port, named.comm], [100, service.port, 'service'])
  }
})

kernelTest('demo without a terminal: one summary, and no process left', async t => {
  const { code, stdout, stderr } = await runTaut(t, ['demo', '--for', '1s'])
  t.is(code, 0, stderr)
  t.regex(stdout, /app_cpu/)
  t.regex(stdout, /Lost: nothing/)
  t.false(stdout.includes(ESCAPE))
  t.deepEqual(await listStrays(), [])
})

kernelTest('demo --json: one document', async t => {
  const { code, stdout, stderr } = await runTaut(t, ['demo', '--for', '1s', '--json'])
  t.is(code, 0, stderr)
  const document = JSON.parse(stdout)
  t.true(document.requests > 0)
  t.deepEqual(document.lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })
  assertAddsUp(t, document)
})

kernelTest('live without a terminal: exit 1, and what to do instead', async t => {
  for (const args of [['live'], []]) {
    assertFailure(t, await runTaut(t, args), 1, /^taut: the live view needs a terminal \(try: taut measure/)
  }
})

kernelTest('live --json: a document a line', async t => {
  const service = await startService(t)
  const running = await startProcess(t, process.execPath, [TAUT, 'live', '--json', '--port', service.port])
  let lines = 0
  running.child.stdout?.on('data', (text: string) => {
    lines += text.split('\n').length - 1
    if (lines === 2) running.child.kill('SIGINT')
  })
  const { code, stdout } = await running.ended
  t.is(code, 130)
  const documents = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  t.is(documents.length, 2)
  t.true(documents.every(document => document.schema === 1 && document.target.port === service.port))
})
