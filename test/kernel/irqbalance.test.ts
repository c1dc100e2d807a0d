import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type Running, startProcess } from './support/processes.js'
import { waitFor } from './support/wait.js'

const SET_PLACE = rootPath('dist/test/kernel/fixtures/set-place.js')

/** In mounts of its own, where it can move no interrupt of the machine's, and its socket is seen by nobody else. */
const CONFINED =
  'mount -t tmpfs none /run && mkdir /run/irqbalance && mount --bind /proc/irq /proc/irq && ' +
  'mount -o remount,bind,ro /proc/irq && exec irqbalance --foreground --banirq=4001'

const startIrqbalance = async (t: Context): Promise<Running> => {
  const irqbalance = await startProcess(t, 'unshare', ['--mount', 'sh', '-c', CONFINED])
  await waitFor('irqbalance to listen', async () => (await listBanned(irqbalance).catch(() => null)) && true)
  return irqbalance
}

/** Asks irqbalance itself which interrupts it leaves alone. */
const listBanned = async ({ pid }: Running): Promise<number[]> => {
  const socket = connect({ path: `/proc/${pid}/root/run/irqbalance/irqbalance${pid}.sock` })
  await once(socket, 'connect')
  socket.write('setup')
  return [...(await text(socket)).matchAll(/IRQ (\d+) /g)]
    .map(([, irq]) => Number(irq))
    .toSorted((a, b) => a - b)
}

/** What taut reads of an interrupt, after it has written a value if there is one. */
const setBan = async (
  t: Context,
  { pid }: Running,
  irq: number,
  ...value: string[]
): Promise<string | null> => {
  const place = JSON.stringify({ kind: 'irqbalance', irq })
  const nsenter = ['--mount', `--target=${pid}`, '--wd=/', process.execPath, SET_PLACE, place, ...value]
  const { code, stdout, stderr } = await (await startProcess(t, 'nsenter', nsenter)).ended
  t.is(code, 0, stderr)
  return JSON.parse(stdout)
}

kernelTest(
  'irqbalance is told which interrupts to leave alone, and keeps those that others have told it',
  async t => {
    const irqbalance = await startIrqbalance(t)
    t.deepEqual(await listBanned(irqbalance), [4001])
    t.is(await setBan(t, irqbalance, 4001), 'banned')
    t.is(await setBan(t, irqbalance, 4002), 'balanced')

    t.is(await setBan(t, irqbalance, 4002, 'banned'), 'banned')
    t.is(await setBan(t, irqbalance, 4003, 'banned'), 'banned')
    t.deepEqual(await listBanned(irqbalance), [4001, 4002, 4003])

    t.is(await setBan(t, irqbalance, 4002, 'balanced'), 'balanced')
    t.deepEqual(await listBanned(irqbalance), [4001, 4003])
    await setBan(t, irqbalance, 4001, 'balanced')
    await setBan(t, irqbalance, 4003, 'balanced')
    t.deepEqual(await listBanned(irqbalance), [])
  },
  'irqbalance',
  'unshare',
)

kernelTest('where no irqbalance runs there is nothing to tell', async t => {
  const place = JSON.stringify({ kind: 'irqbalance', irq: 4002 })
  const outcome = await (await startProcess(t, process.execPath, [SET_PLACE, place])).ended
  t.is(outcome.stdout, 'null', outcome.stderr)
})
