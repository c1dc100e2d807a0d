import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { native } from '../lib/native.js'
import { kernelTest } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

const run = promisify(execFile)
const fuzz = fileURLToPath(new URL('helpers/fuzz.js', import.meta.url))
const paths = ['counter', 'maps', 'records', 'attach'].map(name => compileObject(name))

/** Those that get past the checks of their arguments with any seed, so that what is behind is tried as well. */
const MUST_WORK = [
  'attach',
  'attachRawTracepoint',
  'closeHandle',
  'enableRunStats',
  'isClosed',
  'linkDetach',
  'linkInfo',
  'linkPinPath',
  'listLinks',
  'listMaps',
  'listPrograms',
  'mapDelete',
  'mapDescribe',
  'mapGet',
  'mapInfo',
  'mapInitialValue',
  'mapSet',
  'mapSetMaxEntries',
  'objectBtf',
  'objectCounts',
  'objectLoad',
  'objectName',
  'programAutoload',
  'programDescribe',
  'programFd',
  'programInfo',
  'ringDrain',
  'ringOpen',
  'ringRef',
  'ringStart',
  'ringStop',
  'ringUnread',
]

for (const seed of [1, 2, 3]) {
  kernelTest(`arguments that nobody expects throw and never crash, seed ${seed}`, async t => {
    // In a folder of its own, since what it links it writes.
    const folder = mkdtempSync(join(tmpdir(), 'libbpf-ts-'))
    try {
      const { stdout, stderr } = await run(
        process.execPath,
        ['--expose-gc', fuzz, String(seed), '5000', ...paths],
        { cwd: folder },
      )
      const worked = new Set(/^worked: (.*)$/m.exec(stdout)?.[1]?.split(' '))
      t.deepEqual(
        MUST_WORK.filter(name => !worked.has(name)),
        [],
      )
      t.is(stderr, '')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

test('every function names the argument that is wrong', t => {
  const handle = native.objectOpen(paths[0] ?? '', undefined, undefined)
  const none = {} as never
  t.throws(() => native.objectLoad(none), { instanceOf: TypeError, message: /^object must be/ })
  t.throws(() => native.linkInfo(handle as never), { instanceOf: TypeError, message: /^link must be/ })
  t.throws(() => native.ringDrain(handle as never, 0, new Uint8Array(1), new Uint32Array(2)), {
    instanceOf: TypeError,
    message: /^ring must be/,
  })
  t.throws(() => native.ringOpen(Array(1025).fill(handle), Array(1025).fill(0), () => {}), {
    instanceOf: RangeError,
    message: /^maps must be an array of 1 to 1024 maps/,
  })
  t.throws(() => native.programFd(handle, 99), { instanceOf: RangeError, message: /^program must be/ })
  t.throws(() => native.mapDescribe(handle, -1), { instanceOf: RangeError, message: /^map must be/ })
  t.throws(() => native.mapDescribe(handle, '0' as never), { instanceOf: TypeError, message: /^map must be/ })
  t.throws(() => native.setErrorFactory(5 as never), { instanceOf: TypeError, message: /^factory must be/ })
  t.throws(() => native.closeHandle(5 as never), { instanceOf: TypeError, message: /^handle must be/ })
  t.throws(() => native.mapWriteInitialValue(handle, 3, 2 ** 31, new Uint8Array(8)), {
    instanceOf: RangeError,
    message: /^bytes must be/,
  })
  native.closeHandle(handle)
  t.throws(() => native.objectLoad(handle), { code: 'ERR_CLOSED' })
})
