import { readdirSync, readFileSync } from 'node:fs'
import { listReceiveIrqs } from '../../src/system/nic-irqs.js'
import { MESSAGES, prepareQuestions, startEcho } from './support/datagrams.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { startMemcached } from './support/services.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

/** What every target needs, on a kernel that has all tracepoints. */
const ALWAYS = [
  'cpu_idle',
  ...(listReceiveIrqs().length > 0 ? ['irq_handler_entry'] : []),
  'napi_gro_frags_entry',
  'napi_gro_receive_entry',
  'netif_receive_skb',
  'netif_receive_skb_entry',
  'net_dev_start_xmit',
  'qdisc_enqueue',
  'sched_process_fork',
  'sched_switch',
  'sk_data_ready',
  'softirq_entry',
]

const OF_TCP = [
  ...ALWAYS,
  'inet_sock_set_state',
  'skb_copy_datagram_iovec',
  'tcp_rcv_space_adjust',
  'tcp_sendmsg_locked',
]

/** As docs/cost.md has it: what is attached in the long run, of whoever does not need more. */
const ATTACHED = {
  server: OF_TCP,
  client: OF_TCP,
  udp: [...ALWAYS, 'kfree_skb', 'sock_recv_length', 'sys_enter'],
}

/** What is attached at first, and let go of after a thousand requests that did without. */
const AT_FIRST = {
  server: ['netif_rx_entry', 'sched_waking', 'sock_recv_length', 'sock_send_length', 'softirq_exit'],
  client: ['netif_rx_entry', 'sock_recv_length', 'softirq_exit'],
  udp: ['netif_rx_entry', 'sched_waking', 'softirq_exit'],
}

/** Gives the tracepoints at which a process has programs, each as often as there are. */
const listAttached = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fdinfo`)
    .flatMap(fd => {
      try {
        return /^tp_name:\t(\S+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? []
      } catch {
        // Closed meanwhile.
        return []
      }
    })
    .sort()

/** Asserts what is attached before there is a request, and when there have been enough that did without the rest. */
const assertAttached = async (
  t: Context,
  kind: keyof typeof ATTACHED,
  target: (string | number)[],
  ask: () => Promise<unknown>,
): Promise<void> => {
  const measurement = await startMeasuring(t, ...target)
  t.deepEqual(listAttached(measurement.pid), [...ATTACHED[kind], ...AT_FIRST[kind]].sort())
  await ask()
  const wanted = [...ATTACHED[kind]].sort()
  // A sample of the overheads has programs of its own, for a moment.
  let attached: string[] = []
  await waitFor(
    'the others to be let go of',
    () => {
      attached = listAttached(measurement.pid)
      return attached.join() === wanted.join() ? true : null
    },
    15_000,
  ).catch(() => undefined)
  t.deepEqual(attached, wanted)
  await measurement.stop()
}

/** More than it takes to tell that a service does without a probe. */
const REQUESTS = 5000

for (const [who, kind, option] of [
  ['a service of TCP needs', 'server', '--port'],
  ['clients need', 'client', '--to'],
] as const) {
  kernelTest(
    `only the tracepoints that ${who} have programs`,
    async t => {
      const { port } = await startMemcached(t)
      await assertAttached(t, kind, [option, port], () =>
        runLoad(t, { port, connections: 4, requests: REQUESTS }),
      )
    },
    'memcached',
  )
}

kernelTest('only the tracepoints that a service of UDP needs have programs, and none of TCP', async t => {
  const service = await startEcho(t, {})
  const ask = await prepareQuestions(t, service, { message: MESSAGES.echo, requests: REQUESTS })
  await assertAttached(t, 'udp', ['--port', `${service.port}/udp`], ask)
})
