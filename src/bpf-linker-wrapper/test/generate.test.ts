import { readFile, symlink, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { Btf, decode, extractBtf } from 'libbpf-ts'
import { buildObject, generateTypes } from '../lib/index.js'
import { makeWorkspace, run, tsc } from './helpers/workspace.js'

type Workspace = Awaited<ReturnType<typeof makeWorkspace>>
type Decoder = (view: DataView, offset?: number) => unknown

const compileTypes = async ({ root, path }: Workspace, ...files: string[]) => {
  await writeFile(path('package.json'), '{ "type": "module" }')
  const flags = ['--strict', '--target', 'es2023', '--module', 'nodenext', '--types', '', '--noUnusedLocals']
  return run(process.execPath, [tsc, ...flags, '--lib', 'es2023,dom', '--outDir', path('js'), ...files], {
    cwd: root,
  })
}

const isDecoder = (value: unknown): value is Decoder => typeof value === 'function'

const importDecoder = async (file: string, name: string): Promise<Decoder> => {
  const exported: Record<string, unknown> = await import(pathToFileURL(file).href)
  const decoder = exported[name]
  if (!isDecoder(decoder)) {
    throw new Error(`${file} has no ${name}`)
  }

  return decoder
}

const checkDecoder = async (t: ExecutionContext, workspace: Workspace, object: Uint8Array) => {
  const { path } = workspace
  await writeFile(path('generated.ts'), generateTypes(object, ['sample']))
  t.deepEqual(await compileTypes(workspace, 'generated.ts'), { exitCode: 0, stdout: '', stderr: '' })
  const decodeSample = await importDecoder(path('js', 'generated.js'), 'decodeSample')
  const btf = Btf.parse(extractBtf(object))
  const { id, size } = btf.findByName('struct', 'sample') ?? { id: 0, size: 0 }
  t.true(size > 0)
  fc.assert(
    fc.property(fc.uint8Array({ minLength: size + 7, maxLength: size + 7 }), fc.nat(7), (bytes, offset) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      t.deepEqual(decodeSample(view, offset), decode(btf, id, bytes, offset))
    }),
    { numRuns: 200 },
  )
  t.throws(() => decodeSample(new DataView(new ArrayBuffer(size / 2))), { instanceOf: RangeError })
}

test('decoders give what decode by BTF gives, on any bytes', async t => {
  const workspace = await makeWorkspace(t)
  const { first, second, output } = workspace
  await buildObject({ sources: [first, second], output })
  await checkDecoder(t, workspace, await readFile(output))
})

test('decoders follow the byte order of the object', async t => {
  const workspace = await makeWorkspace(t)
  const object = workspace.path('big.o')
  await run('clang', ['-target', 'bpfeb', '-g', '-O2', '-c', workspace.first, '-o', object])
  const content = await readFile(object)
  t.false(Btf.parse(extractBtf(content)).littleEndian)
  await checkDecoder(t, workspace, content)
})

test('the types are those that the values have', async t => {
  const workspace = await makeWorkspace(t)
  const { path, first, second, output } = workspace
  await buildObject({ sources: [first, second], output, types: { output: path('generated.ts') } })
  await writeFile(
    path('use.ts'),
    `import {
  Color, decodeEvent, decodeSample, EndpointT, EVENT_OFFSETS, EVENT_SIZE, Maps, Program, Record as _Record,
  SAMPLE_OFFSETS, SamplePlace, Variables,
} from './generated.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

type Sample = ReturnType<typeof decodeSample>
same<Sample['at' | 'delta' | 'where' | 'wide' | 'bits_c'], bigint>(true)
same<Sample['bits_a' | 'bits_b' | 'word' | 'color' | 'ratio' | 'part'], number>(true)
same<Sample['comm'], string>(true)
same<Sample['lines'], string[]>(true)
same<Sample['on'], boolean>(true)
same<Sample['raw' | 'octets'], number[]>(true)
same<Sample['grid'], bigint[][]>(true)
same<Sample['ends'], EndpointT[]>(true)
same<Sample['place'], SamplePlace>(true)
same<(typeof Color)['BLUE'], 7>(true)
same<typeof EVENT_SIZE, 20>(true)
same<typeof EVENT_OFFSETS, { readonly pid: 0; readonly comm: 4 }>(true)
same<(typeof SAMPLE_OFFSETS)['delta'], 8>(true)
same<keyof Sample & 'bits_a', 'bits_a'>(true)
same<keyof typeof SAMPLE_OFFSETS & 'bits_a', never>(true)
same<Variables, { filter: EndpointT; last_pid: number; seen: bigint; unused_event: bigint }>(true)
same<Maps['samples'], { key: number; value: Sample }>(true)
same<Maps['per_cpu'], { key: number; value: _Record[] }>(true)
same<Maps['ring'], { key: Uint8Array; value: Uint8Array }>(true)
same<keyof Maps, 'samples' | 'per_cpu' | 'ring'>(true)
same<Program, 'first' | 'second'>(true)
same<ReturnType<typeof decodeEvent>, { pid: number; comm: string }>(true)
// @ts-expect-error a struct's numbers are no text
same<Sample['word'], string>(true)
`,
  )
  t.deepEqual(await compileTypes(workspace, 'generated.ts', 'use.ts'), {
    exitCode: 0,
    stdout: '',
    stderr: '',
  })
})

test('the same object gives the same text, wherever it lies', async t => {
  const { path, first, second, output } = await makeWorkspace(t)
  await buildObject({ sources: [first, second], output })
  await symlink(output, path('link.o'))
  t.is(generateTypes(await readFile(output)), generateTypes(await readFile(path('link.o'))))
  t.regex(generateTypes(await readFile(output)), /^\/\/ Generated by bpf-linker-wrapper .*Do not edit/)
})

test('a listed type that is not there, and names that meet, are told', async t => {
  const { path } = await makeWorkspace(t)
  const compile = async (source: string) => {
    await writeFile(path('names.bpf.c'), source)
    await run('clang', ['-target', 'bpfel', '-g', '-O2', '-c', path('names.bpf.c'), '-o', path('names.o')])
    return readFile(path('names.o'))
  }

  const plain = await compile(
    'struct a_b { int x; } one;\nint f(struct listed { int y; } *l) { return l->y; }\n',
  )
  t.false(generateTypes(plain).includes('interface Listed'))
  t.true(generateTypes(plain, ['listed']).includes('interface Listed'))
  t.throws(() => generateTypes(plain, ['absent']), {
    message: /has no struct, union or enum absent; .*unused_absent/,
  })
  const clashing = await compile('struct a_b { int x; } one;\nstruct aB { int x; } two;\n')
  t.throws(() => generateTypes(clashing), { message: /would be called AB in TypeScript, like struct/ })
})
