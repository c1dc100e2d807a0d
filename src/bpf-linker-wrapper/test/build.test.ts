import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { relative } from 'node:path'
import test from 'ava'
import { BpfObject, Btf, extractBtf, extractSection } from 'libbpf-ts'
import { BuildError, buildObject, CompileError } from '../lib/index.js'
import { command, makeWorkspace, run } from './helpers/workspace.js'

test('two sources that share a map become one object', async t => {
  const { first, second, output } = await makeWorkspace(t)
  const result = await buildObject({ sources: [first, second], output })
  t.deepEqual(result, { output, rebuilt: [first, second], written: [output], messages: '' })

  using object = BpfObject.open(output)
  t.deepEqual([...object.programs.keys()].sort(), ['first', 'second'])
  const maps = [...object.maps.values()].filter(map => !map.internal).map(map => map.name)
  t.deepEqual(maps.sort(), ['per_cpu', 'ring', 'samples'])

  const elf = await readFile(output)
  const btf = Btf.parse(extractBtf(elf))
  t.deepEqual(
    btf.datasec('.rodata')?.variables.map(({ name }) => name),
    ['filter'],
  )
  t.not(btf.findByName('struct', 'event'), undefined)
})

test('debug sections are left out; BTF and relocations against the kernel stay', async t => {
  const { first, second, output } = await makeWorkspace(t)
  await buildObject({ sources: [first, second], output })
  const elf = await readFile(output)
  t.false(elf.includes('.debug_'))
  t.false(elf.includes('.llvm_addrsig'))
  const ext = extractSection(elf, '.BTF.ext')
  const relocations = ext && new DataView(ext.buffer, ext.byteOffset).getUint32(28, true)
  t.true(relocations !== undefined && relocations > 0)
})

const BTF = '/sys/kernel/btf'
const canHide =
  process.getuid?.() === 0 && existsSync(BTF) && spawnSync('unshare', ['--mount', 'true']).status === 0
const hiddenTest = canHide ? test : test.skip

hiddenTest(
  `without BTF of a kernel the object comes out the same${canHide ? '' : ` (needs root, a mount namespace and ${BTF})`}`,
  async t => {
    const { first, second, path } = await makeWorkspace(t)
    const build = (output: string) => [process.execPath, command, '--out', output, first, second]
    const hide = `mount -t tmpfs none ${BTF} && ! [ -e ${BTF}/vmlinux ] && exec "$@"`
    const [node = '', ...args] = build(path('seen.bpf.o'))
    t.like(await run(node, args), { exitCode: 0 })
    t.like(await run('unshare', ['-m', 'sh', '-c', hide, 'sh', ...build(path('hidden.bpf.o'))]), {
      exitCode: 0,
    })
    t.deepEqual(await readFile(path('hidden.bpf.o')), await readFile(path('seen.bpf.o')))
  },
)

test('only what changed is done again', async t => {
  const { path, first, second, output, typesOutput } = await makeWorkspace(t)
  const options = { sources: [first, second], output, types: { output: typesOutput } }
  const build = async (more = {}) => {
    const { rebuilt, written } = await buildObject({ ...options, ...more })
    return { rebuilt, written }
  }

  t.deepEqual(await build(), { rebuilt: [first, second], written: [output, typesOutput] })
  const before = await stat(typesOutput)
  t.deepEqual(await build(), { rebuilt: [], written: [] })
  t.is((await stat(typesOutput)).mtimeMs, before.mtimeMs)

  await utimes(first, 1, 1)
  t.deepEqual(await build(), { rebuilt: [], written: [] }, 'the same content at another time')

  await appendFile(second, '\nint added;\n')
  t.deepEqual(await build(), { rebuilt: [second], written: [output, typesOutput] })

  await appendFile(path('bpf', 'shared.h'), '\n/* a comment */\n')
  t.deepEqual(
    await build(),
    { rebuilt: [first, second], written: [] },
    'a header changed, the object did not',
  )

  t.deepEqual(await build({ defines: { EXTRA: '1' } }), { rebuilt: [first, second], written: [] })
  t.deepEqual(await build({ defines: { EXTRA: '1' } }), { rebuilt: [], written: [] })

  await rm(output)
  await rm(typesOutput)
  t.deepEqual(await build({ defines: { EXTRA: '1' } }), { rebuilt: [], written: [output, typesOutput] })

  await writeFile(output, 'something else')
  t.deepEqual(await build({ defines: { EXTRA: '1' } }), { rebuilt: [], written: [output] })
})

test('another clang compiles again, and so does a damaged cache', async t => {
  const { path, first, output } = await makeWorkspace(t)
  const wrapper = path('clang')
  await writeFile(wrapper, '#!/bin/sh\nexec clang "$@"\n', { mode: 0o755 })
  const cacheDir = path('cache')
  const build = async (clang: string) =>
    (await buildObject({ sources: [first], output, cacheDir, clang })).rebuilt
  t.deepEqual(await build('clang'), [first])
  t.deepEqual(await build(wrapper), [first])
  t.deepEqual(await build(wrapper), [])
  for (const name of await readdir(cacheDir)) {
    await writeFile(path('cache', name), 'damaged')
    t.deepEqual(await build(wrapper), [first], name)
  }
})

test('builds in two folders, however they are named, are equal to the byte and hold no path', async t => {
  const here = await makeWorkspace(t)
  const there = await makeWorkspace(t)
  const build = async ({ path, first, second, output }: typeof here, shorten: (file: string) => string) => {
    await buildObject({
      sources: [shorten(second), shorten(first)],
      output,
      includeDirs: [shorten(path('bpf')), shorten(path('include'))],
      types: { output: path('dist', 'all.ts') },
    })
    return { object: await readFile(output), types: await readFile(path('dist', 'all.ts'), 'utf8') }
  }

  const one = await build(here, file => file)
  const other = await build(there, file => relative(process.cwd(), file))
  t.true(one.object.equals(other.object))
  t.is(one.types, other.types)
  t.true(one.object.includes('first.bpf.c'), 'the verifier log has to name the source')
  for (const part of [here.root, there.root, 'bpf-linker-wrapper-', process.cwd()]) {
    t.false(one.object.includes(part), part)
  }
})

test('the order of the sources does not matter', async t => {
  const { first, second, path } = await makeWorkspace(t)
  const [a, b] = [path('a.o'), path('b.o')]
  await buildObject({ sources: [first, second], output: a })
  await buildObject({ sources: [second, first, first], output: b })
  t.true((await readFile(a)).equals(await readFile(b)))
})

test('what clang says comes through as it is', async t => {
  const { first, second, path, output } = await makeWorkspace(t)
  const clangAlone = async (source: string) => {
    const args = ['-target', 'bpf', '-O2', '-g', '-c', source, '-o', path('alone.o')]
    return run('clang', args)
  }

  await appendFile(second, '\n#warning "mind this"\n')
  const { messages } = await buildObject({ sources: [first, second], output })
  t.regex(messages, /warning: "mind this"/)
  t.is(messages, (await clangAlone(second)).stderr)

  await appendFile(first, '\nint broken(void) { return nowhere; }\n')
  const alone = await clangAlone(first)
  const error = await t.throwsAsync(buildObject({ sources: [first, second], output }), {
    instanceOf: CompileError,
  })
  t.is(error.messages, alone.stderr)
  t.is(error.exitCode, alone.exitCode)
  t.true(error.message.includes(first))
  const leftovers = (await readdir(path('dist', '.all.bpf.o.cache'))).filter(name => name.includes('.tmp'))
  t.deepEqual(leftovers, [])
})

test('defines, include folders and flags reach clang', async t => {
  const { path, output } = await makeWorkspace(t)
  const source = path('options.bpf.c')
  await writeFile(
    source,
    '#include "bpf.h"\n#ifdef PLAIN\nint number = VALUE + FLAG;\n#endif\nchar LICENSE[] SEC("license") = "GPL";\n',
  )
  await buildObject({
    sources: [source],
    output,
    includeDirs: [path('bpf')],
    defines: { PLAIN: true, VALUE: '40' },
    cflags: ['-DFLAG=2'],
  })
  const data = extractSection(await readFile(output), '.data')
  t.deepEqual(data && [...data], [42, 0, 0, 0])
})

test('symbols that clash are told in the words of libbpf', async t => {
  const { first, path, output } = await makeWorkspace(t)
  const twin = path('bpf', 'twin.bpf.c')
  await writeFile(twin, await readFile(first))
  await t.throwsAsync(buildObject({ sources: [first, twin], output }), {
    instanceOf: BuildError,
    message: /did not link .*conflicting/s,
  })
  await t.throwsAsync(stat(output), { code: 'ENOENT' })
})

test('a missing clang, a place that cannot be written and no sources are told with what to do', async t => {
  const { first, path } = await makeWorkspace(t)
  await t.throwsAsync(buildObject({ sources: [first], output: path('a.o'), clang: path('no-clang') }), {
    instanceOf: BuildError,
    message: /cannot run .*no-clang: it is not there.*install it/,
  })
  await t.throwsAsync(buildObject({ sources: [first], output: `${first}/a.o` }), {
    instanceOf: BuildError,
    message: /cannot write .*first\.bpf\.c\/a\.o.*choose a place/,
  })
  const types = { output: `${first}/a.ts` }
  await t.throwsAsync(buildObject({ sources: [first], output: path('a.o'), types }), {
    instanceOf: BuildError,
    message: /cannot write .*a\.ts/,
  })
  await t.throwsAsync(buildObject({ sources: [], output: path('a.o') }), {
    instanceOf: BuildError,
    message: /no sources/,
  })
})
