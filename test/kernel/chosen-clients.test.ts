import { existsSync } from 'node:fs'
import { copyFile, mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MeasureDocument } from '../../src/latency/document.js'
import { assertExact } from './support/assertions.js'
import { KVLOAD } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listArguments, runLoad } from './support/load.js'
import { type Running, startProcess, waitForOutput } from './support/processes.js'
import { startService, startServiceAt } from './support/services.js'
import { runTaut, startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

const CHOSEN = { connections: 4, requests: 3000 }
const OTHERS = { connections: 4, requests: 2000 }

for (const [what, listensOn, to, chosen, other] of [
  ['an address of IPv4', '0.0.0.0', '127.0.0.2', '127.0.0.2', '127.0.0.1'],
  ['an address of IPv4 by sockets of IPv6', '0.0.0.0', '127.0.0.2', '::ffff:127.0.0.2', '::ffff:127.0.0.1'],
  ['an address of IPv6', '::', '[::1]', '::1', '127.0.0.1'],
] as const) {
  kernelTest(
    `counts what is sent to ${what}, and nothing that is sent to the same port elsewhere`,
    async t => {
      const { port } = await startServiceAt(t, { host: listensOn })
      const measurement = await startMeasuring(t, '--to', `${to}:${port}`)
      await Promise.all([
        runLoad(t, { host: chosen, port, ...CHOSEN }),
        runLoad(t, { host: other, port, ...OTHERS }),
      ])
      const document = await measurement.stop()
      assertExact(t, document, CHOSEN.requests)
      t.is(document.target.host, to.replace(/[[\]]/g, ''))
    },
  )
}

/** A client that has connected; `send` has it send, and waits for its end. */
type Client = Running & { send: () => Promise<void> }

const startClient = async (
  t: Context,
  port: number,
  load: typeof CHOSEN,
  program = KVLOAD,
): Promise<Client> => {
  const running = await startProcess(t, program, [...listArguments({ port, ...load }), '--idle-first'])
  await waitForOutput(running, /^connected\n/)
  const send = async (): Promise<void> => {
    running.child.stdin?.write('\n')
    const { code, stderr } = await running.ended
    t.is(code, 0, stderr)
  }
  return { ...running, send }
}

/** Measures what one of two clients sends, which the options are to tell from the other. */
const measureChosen = async (
  t: Context,
  port: number,
  [chosen, other]: readonly [Client, Client],
  ...options: (string | number)[]
): Promise<MeasureDocument> => {
  const measurement = await startMeasuring(t, '--to', port, ...options)
  await Promise.all([chosen.send(), other.send()])
  const document = await measurement.stop()
  assertExact(t, document, CHOSEN.requests)
  t.is(document.target.pid, chosen.pid)
  return document
}

kernelTest('counts the requests of a process', async t => {
  const { port } = await startService(t)
  const clients = [await startClient(t, port, CHOSEN), await startClient(t, port, OTHERS)] as const
  await measureChosen(t, port, clients, '--pid', clients[0].pid)
})

/** The load client by another name. */
const copyClient = async (t: Context, name: string): Promise<string> => {
  const path = join(await createFolder(t), name)
  await copyFile(KVLOAD, path)
  return path
}

kernelTest('counts the requests of programs with a name', async t => {
  const { port } = await startService(t)
  const chosen = await startClient(t, port, CHOSEN, await copyClient(t, 'gateway'))
  const document = await measureChosen(
    t,
    port,
    [chosen, await startClient(t, port, OTHERS)],
    '--comm',
    'gateway',
  )
  t.is(document.target.comm, 'gateway')
})

kernelTest(
  'counts the requests of a process that comes to those that were chosen, once it is found',
  async t => {
    const { port } = await startService(t)
    const program = await copyClient(t, 'gateway')
    const first = await startClient(t, port, CHOSEN, program)
    const measurement = await startMeasuring(t, '--to', port, '--comm', 'gateway')
    // It asks for long enough to be found meanwhile, and so does one that is not meant.
    const late = { connections: 1, requests: 2000, rate: 500 }
    await Promise.all([
      first.send(),
      (await startClient(t, port, late, program)).send(),
      (await startClient(t, port, late)).send(),
    ])
    const { requests, in_flight } = await measurement.stop()
    t.true(requests > CHOSEN.requests, `${requests}`)
    t.true(requests <= CHOSEN.requests + late.requests, `${requests}`)
    t.is(in_flight, 0)
  },
)

/** Makes a cgroup of whichever version is mounted, and gives its path; it is removed after the test. */
const createCgroup = async (t: Context, name: string): Promise<string> => {
  const root = ['/sys/fs/cgroup', '/sys/fs/cgroup/pids'].find(root => existsSync(join(root, 'cgroup.procs')))
  if (root === undefined) throw new Error('no cgroups are mounted')
  const path = join(root, name)
  await mkdir(path)
  // The processes in it have ended by then, but the kernel may still be at it.
  const remove = (): Promise<true | null> =>
    rmdir(path).then(
      () => true,
      () => null,
    )
  t.teardown(() => waitFor(`${path} to be empty`, remove))
  return path
}

for (const option of ['cgroup', 'unit'] as const) {
  kernelTest(`counts the requests of the processes of a ${option}`, async t => {
    const { port } = await startService(t)
    const name = `taut-test-${process.pid}-${option}.service`
    const path = await createCgroup(t, name)
    const clients = [await startClient(t, port, CHOSEN), await startClient(t, port, OTHERS)] as const
    await writeFile(join(path, 'cgroup.procs'), String(clients[0].pid))
    await measureChosen(t, port, clients, `--${option}`, option === 'cgroup' ? path : name)
  })
}

/** The shell asks, and then has another process ask on its connection, so many times; it reads both answers itself. */
const TURNS = 20
const ASK_IN_TURNS = `
exec 3<>/dev/tcp/127.0.0.1/$1
echo connected
read -r
for turn in $(seq ${TURNS}); do
  printf 'request\\n' >&3
  read -r -u 3
  /bin/echo request >&3
  read -r -u 3
done
echo done
read -r
`

kernelTest(
  "takes what another process sends on a chosen one's connection for none of its requests",
  async t => {
    const delayUs = 20_000
    const { port } = await startService(t, '--place', 'app_wait', '--delay-us', delayUs)
    const shell = await startProcess(t, 'bash', ['-c', ASK_IN_TURNS, 'bash', port])
    await waitForOutput(shell, /^connected\n/)
    const measurement = await startMeasuring(t, '--to', port, '--pid', shell.pid)
    shell.child.stdin?.write('\n')
    await waitForOutput(shell, /\ndone\n/)
    const { requests, in_flight, unanswered, total } = await measurement.stop()
    t.deepEqual({ requests, in_flight, unanswered }, { requests: TURNS, in_flight: 0, unanswered: 0 })
    t.true((total.mean_us ?? 0) > delayUs && (total.mean_us ?? 0) < 1.75 * delayUs, `${total.mean_us} us`)
  },
  'bash',
)

kernelTest('says which clients are not there, what is no address, and what does not go together', async t => {
  const { port } = await startService(t)
  for (const [options, expected, message] of [
    [['--pid', 2 ** 22], 1, /there is no process 4194304; start it first, or look with: ps/],
    [['--comm', 'no-such-program'], 1, /there is no process with the name no-such-program; start it first/],
    [['--cgroup', 'no/such'], 1, /there is no cgroup no\/such under/],
    [['--unit', 'no-such-unit'], 1, /there is no process of unit no-such-unit; start it first/],
    [['--port', 80], 2, /option '--to <\[address:\]port>' cannot be used with option '--port <number>'/],
  ] as const) {
    const { code, stderr } = await runTaut(t, ['measure', '--to', port, '--for', '10ms', ...options])
    t.is(code, expected, stderr)
    t.regex(stderr, message)
  }
})
