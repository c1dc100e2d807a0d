import { setTimeout } from 'node:timers/promises'
import { PROBES } from '../../src/probes/support.js'
import { kernelTest } from './support/kernel-test.js'
import { listBpf, waitUntilBpfIsGone } from './support/leftovers.js'
import { startProcess } from './support/processes.js'
import { startService } from './support/services.js'
import { startMeasuring, TAUT } from './support/taut.js'

const MOMENTS = 20

kernelTest('killed at any moment, taut leaves no program, link or map', async t => {
  const before = new Set(listBpf())
  const service = await startService(t)

  // As long as it takes to be ready, and then killed right there.
  const start = performance.now()
  const ready = await startMeasuring(t, '--port', service.port)
  const readyMs = performance.now() - start
  const loaded = listBpf().filter(item => !before.has(item))
  for (const kind of ['program', 'map', 'link']) {
    t.true(
      loaded.some(item => item.startsWith(`${kind} `)),
      kind,
    )
  }
  ready.child.kill('SIGKILL')
  t.is((await ready.ended).signal, 'SIGKILL')
  await waitUntilBpfIsGone(before)

  const found = new Set<number>()
  for (let moment = 0; moment < MOMENTS; moment++) {
    const args = [TAUT, 'measure', '--port', service.port, '--for', '24h']
    const running = await startProcess(t, process.execPath, args)
    // From the start of Node, through loading and attaching, into the first refreshes.
    await setTimeout((moment / MOMENTS) * readyMs * 1.5)
    found.add(listBpf().filter(item => !before.has(item)).length)
    running.child.kill('SIGKILL')
    t.is((await running.ended).signal, 'SIGKILL')
    await waitUntilBpfIsGone(before)
  }
  t.log('BPF objects that were loaded when it was killed:', [...found].join(', '))
  // The moments have reached from before the first object to after the last probe.
  t.true(found.has(0) && Math.max(...found) >= PROBES.length)
})

kernelTest('ended by a signal, taut prints what it has and leaves nothing', async t => {
  const before = new Set(listBpf())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const service = await startService(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    measurement.child.kill(signal)
    const { code, stdout } = await measurement.ended
    t.is(code, 130)
    t.is(JSON.parse(stdout).requests, 0)
    await waitUntilBpfIsGone(before)
  }
})
