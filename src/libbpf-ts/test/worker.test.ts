import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { libraryUrl, runChild } from './helpers/child.js'
import { countDescriptors, getuidCall, kernelTest, waitUntil } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

/** Runs in a worker: attaches, and reads its own records. The thread's id is known only to the kernel. */
const work = `
  import { parentPort, workerData } from 'node:worker_threads'
  import { readlinkSync } from 'node:fs'
  const { BpfError, BpfObject, RingBuffer } = await import(workerData.library)
  const object = BpfObject.open(workerData.path)
  object.variable('wanted_tid').set(Number(readlinkSync('/proc/thread-self').split('/').at(-1)))
  object.variable('wanted_call').set(workerData.call)
  object.variable('burst').set(10)
  object.load()
  const ring = new RingBuffer(object.map('ring'))
  object.program('write_records').attach()
  let refused
  try {
    BpfObject.open('/proc/self/nonexistent')
  } catch (error) {
    refused = error instanceof BpfError && error.code
  }
  process.getuid()
  let count = 0
  for await (const batch of ring) {
    count += batch.count
    if (count >= 10) break
  }
  ring.onBatch(() => {})
  ring.ref()
  parentPort.postMessage({ count, refused })`

const startWorker = async () => {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(work)}`), {
    workerData: { library: libraryUrl, path: compileObject('records'), call: getuidCall },
  })
  const [message] = await once(worker, 'message')
  return { worker, message }
}

kernelTest('workers read their own ring buffers, and end with everything attached', async t => {
  const first = await startWorker()
  await first.worker.terminate()
  const before = countDescriptors()
  const started = await Promise.all([startWorker(), startWorker(), startWorker()])
  for (const { worker, message } of started) {
    t.deepEqual(message, { count: 10, refused: 'ENOENT' })
    t.is(await worker.terminate(), 1)
  }

  await waitUntil(() => countDescriptors() <= before)
  t.pass()
})

kernelTest('a process ends clean while a worker has everything attached', async t => {
  const code = `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    const worker = new Worker(new URL('data:text/javascript,' + encodeURIComponent(process.argv[2])), {
      workerData: { library: process.argv[3], path: process.argv[4], call: ${getuidCall}n },
    })
    const [message] = await once(worker, 'message')
    console.log(message.count)
    process.exit(0)`
  t.like(await runChild(code, [work, libraryUrl, compileObject('records')]), {
    code: 0,
    signal: null,
    stdout: '10\n',
    stderr: '',
  })
})
