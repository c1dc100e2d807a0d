import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import type { MeasureDocument } from '../../src/latency/document.js'
import { assertExact, requestsOf } from '../kernel/support/assertions.js'
import { KVLOAD, rootPath } from '../kernel/support/fixtures.js'
import { runLoad } from '../kernel/support/load.js'
import { ADDRESS, boot, createCard, kernel, labTest } from './support.js'
import type { Card } from './vm.js'

const run = promisify(execFile)

const PORT = 11211
const REQUESTS = 2000

/** Measures memcached in the machine under exactly so many requests that come over its card; the settings are commands. */
const measureOverCard = async (
  t: ExecutionContext,
  model: Card['model'],
  { settings = '', rate }: { settings?: string; rate?: number } = {},
) => {
  const card = await createCard(t, model)
  let load: Promise<unknown> | undefined
  const onOutput = (output: string): void => {
    if (!/^ready$/m.test(output)) return
    load ??= runLoad(
      t,
      { host: ADDRESS, port: PORT, connections: 4, requests: REQUESTS, ...(rate && { rate }) },
      card.netns,
    ).finally(() =>
      run('ip', ['netns', 'exec', card.netns, 'bash', '-c', `exec 3<>/dev/tcp/${ADDRESS}/${PORT + 1}`]),
    )
  }
  const program = rootPath('dist/test/lab/guest/measure-memcached.js')
  const { status, output } = await boot(
    t,
    `set -e
    ip addr add ${ADDRESS}/24 dev eth0
    ip link set eth0 up
    ${settings}
    ${process.execPath} ${program} ${ADDRESS} ${PORT}
    uname -r
    grep -E 'eth0|input' /proc/interrupts`,
    { card, onOutput },
  )
  await load
  t.is(status, 0, output)
  const json = output.split('\n').find(line => line.startsWith('{"schema"'))
  t.truthy(json, output)
  const interrupts = [...output.matchAll(/^ *\d+: +(\d+) +(\d+).*(?:eth0|input).*$/gm)]
  const interrupted = interrupts.reduce((sum, [, first, second]) => sum + Number(first) + Number(second), 0)
  return { document: JSON.parse(json ?? '') as MeasureDocument, interrupted }
}

for (const model of ['e1000e', 'virtio-net-pci'] as const) {
  labTest(`counts each request that comes by the interrupts of ${model} on an older kernel`, async t => {
    // At a rate that leaves emulated probes the time to come and look at the overheads before the last request.
    const { document, interrupted } = await measureOverCard(t, model, { rate: 100 })
    t.is(document.kernel, kernel?.release ?? '')
    // Emulated, an interrupt often comes while a probe runs; which run was left out for that is told, and no request is.
    assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
    t.log(document.stages.map(({ name, requests }) => `${name} ${requests}`).join(', '))
    t.true(interrupted > 0)
    // This kernel takes the probes of the overheads as well.
    t.not(document.overheads.sample, null, document.overheads.reason ?? '')
    for (const name of ['irq', 'driver', 'steer', 'protocol', 'recv', 'app_cpu', 'send'] as const) {
      t.true(requestsOf(document, name) > 0, `${name} is absent`)
      t.true(requestsOf(document, name) <= REQUESTS)
    }
  })
}

labTest('finds the interrupt and the hand-over of requests that come by a bridge', async t => {
  const { document } = await measureOverCard(t, 'e1000e', {
    settings: `ip link add br0 type bridge
    ip link set eth0 master br0
    ip addr flush dev eth0
    ip addr add ${ADDRESS}/24 dev br0
    ip link set br0 up`,
    rate: 100,
  })
  assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
  t.log(document.stages.map(({ name, requests }) => `${name} ${requests}`).join(', '))
  for (const name of ['irq', 'steer'] as const)
    t.true(requestsOf(document, name) > REQUESTS / 2, `${name} is absent`)
})

labTest(
  'counts each request that a service polls for itself, without the interrupt (SO_BUSY_POLL)',
  async t => {
    const { document } = await measureOverCard(t, 'e1000e', {
      settings: 'echo 200 >/proc/sys/net/core/busy_poll; echo 200 >/proc/sys/net/core/busy_read',
    })
    assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
    t.log(document.stages.map(({ name, requests }) => `${name} ${requests}`).join(', '))
    // What the service has fetched by itself came by no softirq, and is not said to have.
    t.true(requestsOf(document, 'protocol') - requestsOf(document, 'driver') > REQUESTS / 100)
    t.true(requestsOf(document, 'irq') <= requestsOf(document, 'driver'))
    t.is(requestsOf(document, 'recv'), REQUESTS)
  },
)

labTest('doctor finds what it takes to measure on an older kernel', async t => {
  const { status, output } = await boot(t, `${process.execPath} ${rootPath('dist/src/cli/main.js')} doctor`)
  t.is(status, 0, output)
  t.regex(output, /tcp\/tcp_probe stands in for it/)
})

labTest('counts what a client sends, where a packet and a system call have to tell of it', async t => {
  const taut = rootPath('dist/src/cli/main.js')
  const { status, output } = await boot(
    t,
    `set -e
    memcached -u nobody -l 127.0.0.1 -p ${PORT} -U 0 &
    until (: <>/dev/tcp/127.0.0.1/${PORT}) 2>/dev/null; do :; done
    ${process.execPath} ${taut} measure --to 127.0.0.1:${PORT} --pid $$ --for 100ms
    ${process.execPath} ${taut} measure --to ${PORT} --json --for 24h --ready-file /run/ready >/run/json &
    taut=$!
    until [ -e /run/ready ]; do kill -0 $taut; sleep 0.2; done
    ${KVLOAD} --port ${PORT} --connections 4 --requests ${REQUESTS}
    kill -INT $taut
    wait $taut || [ $? -eq 130 ]
    cat /run/json`,
  )
  t.is(status, 0, output)
  const json = output.split('\n').find(line => line.startsWith('{"schema"'))
  const document = JSON.parse(json ?? '') as MeasureDocument
  assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
  t.log(document.stages.map(({ name, requests }) => `${name} ${requests}`).join(', '))
  for (const name of ['send', 'peer', 'protocol', 'recv'] as const) {
    t.true(
      document.stages.some(stage => stage.name === name),
      `${name} is absent`,
    )
  }
})
