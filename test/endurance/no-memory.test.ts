import { spawnSync } from 'node:child_process'
import test from 'ava'
import { assertExact } from '../kernel/support/assertions.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { createNetns, setNamespaceSysctl } from '../kernel/support/netns.js'
import { readStat, startMemcached } from '../kernel/support/services.js'
import { startMeasuring } from '../kernel/support/taut.js'
import { buildPrograms } from './support/programs.js'
import { createStateCounter, waitForState } from './support/state.js'

/** What a socket may hold besides its packets, of which what BPF keeps with it is a part. */
const SETTING = 'net.core.optmem_max'
const [NONE, ENOUGH] = ['0', '131072']
const STEADY = { connections: 8, requests: 40_000, rate: 4000 }
const LOST = { connections: 4, requests: 10_000 }
const FOUND = { connections: 4, requests: 5000 }

test.before('builds the programs', buildPrograms)

const TITLE = 'what sockets have no memory to keep is counted as lost, each request, and all else is exact'

/** A new network namespace has the setting for itself only since Linux 6.8; before, it does not show it. */
const isNamespaced = (): boolean =>
  spawnSync('unshare', ['--net', 'sysctl', '-n', SETTING], { stdio: 'ignore' }).status === 0

const testNoMemory = (): void =>
  kernelTest(
    TITLE,
    async t => {
      const netns = await createNetns(t)
      const service = await startMemcached(t, [], { netns })
      const { port } = service
      const getsBefore = await readStat(service, 'cmd_get')
      const measurement = await startMeasuring(t, '--netns', netns, '--port', port)
      const countState = await createStateCounter(t, measurement.pid, netns)

      const steady = runLoad(t, { port, ...STEADY }, netns)
      await waitForState(countState, STEADY.connections)
      await setNamespaceSysctl(netns, SETTING, NONE)
      await runLoad(t, { port, ...LOST }, netns)
      await setNamespaceSysctl(netns, SETTING, ENOUGH)
      await runLoad(t, { port, ...FOUND }, netns)
      await steady
      await waitForState(countState, 0)

      const { lost, ...document } = await measurement.stop()
      t.deepEqual(lost, {
        ringbuf_full: 0,
        map_full: LOST.requests,
        unmatched: 0,
        clock: 0,
        recursion: 0,
      })
      assertExact(t, { ...document, lost: { ...lost, map_full: 0 } }, STEADY.requests + FOUND.requests)
      const sent = STEADY.requests + LOST.requests + FOUND.requests
      t.is((await readStat(service, 'cmd_get')) - getsBefore, sent)
    },
    'memcached',
    'ip',
    'sysctl',
  )

if (process.getuid?.() !== 0 || isNamespaced()) testNoMemory()
else test.skip(`${TITLE} (needs Linux 6.8, where ${SETTING} is a network namespace's own)`, t => t.pass())
