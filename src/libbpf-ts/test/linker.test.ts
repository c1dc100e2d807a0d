import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { BpfError, BpfObject, linkObjects } from '../lib/index.js'
import { kernelTest } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

const makeFolder = (t: { teardown: (clean: () => void) => void }) => {
  const folder = mkdtempSync(join(tmpdir(), 'libbpf-ts-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

const inputs = [compileObject('maps'), compileObject('attach')]

test('several objects become one with all of theirs', t => {
  const output = join(makeFolder(t), 'linked.bpf.o')
  linkObjects(output, inputs)
  using object = BpfObject.open(output)
  t.true(object.programs.has('unused'))
  t.true(object.programs.has('on_tc'))
  t.is(object.map('hash').valueType, 'struct value')
  t.is(object.variable('runs').size, 64)
})

test('linking the same gives the same bytes', t => {
  const folder = makeFolder(t)
  linkObjects(join(folder, 'a'), inputs)
  linkObjects(join(folder, 'b'), inputs)
  t.deepEqual(readFileSync(join(folder, 'a')), readFileSync(join(folder, 'b')))
})

test('what can not be linked leaves no output, and an old one as it was', t => {
  const folder = makeFolder(t)
  const output = join(folder, 'linked.bpf.o')
  const broken = join(folder, 'broken.o')
  const refuse = (input: string, code: string) => {
    const error = t.throws(() => linkObjects(output, [inputs[0] ?? '', input]), { instanceOf: BpfError })
    t.is(error.code, code)
    t.true(error.message.includes(input))
  }

  refuse('/proc/self/nonexistent', 'ENOENT')
  for (const bytes of [
    new Uint8Array(0),
    new Uint8Array(1000),
    readFileSync(process.execPath).subarray(0, 4096),
  ]) {
    writeFileSync(broken, bytes)
    refuse(broken, 'FORMAT')
  }

  t.false(existsSync(output))
  writeFileSync(output, 'old')
  refuse(broken, 'FORMAT')
  t.is(readFileSync(output, 'utf8'), 'old')
  t.deepEqual(readdirSync(folder).sort(), ['broken.o', 'linked.bpf.o'])
})

test('two definitions of one name are refused with the name', t => {
  const output = join(makeFolder(t), 'linked.bpf.o')
  const error = t.throws(() => linkObjects(output, [inputs[0] ?? '', compileObject('maps', '-DAGAIN')]), {
    instanceOf: BpfError,
  })
  t.regex(
    error.log ?? '',
    /^libbpf: conflicting non-weak symbol #\d+ \(unused\) definition in '.*maps-DAGAIN\.bpf\.o'$/m,
  )
})

test('wrong arguments are named', t => {
  const output = join(makeFolder(t), 'linked.bpf.o')
  t.throws(() => linkObjects(5 as never, inputs), { instanceOf: TypeError, message: /output/ })
  for (const none of ['', `${output}\0`])
    t.throws(() => linkObjects(none, inputs), { instanceOf: RangeError, message: /output/ })
  t.throws(() => linkObjects(output, []), { instanceOf: RangeError, message: /inputs/ })
  t.throws(() => linkObjects(output, 'x' as never), { instanceOf: TypeError, message: /inputs/ })
  t.throws(() => linkObjects(output, [5 as never]), { instanceOf: TypeError, message: /inputs/ })
})

kernelTest('a linked object loads', t => {
  const output = join(makeFolder(t), 'linked.bpf.o')
  linkObjects(output, inputs)
  using object = BpfObject.open(output).load()
  t.truthy(object.program('on_xdp').fd)
})
