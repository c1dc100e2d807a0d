import { appendFile, readFile } from 'node:fs/promises'
import test from 'ava'
import { command, makeWorkspace, run } from './helpers/workspace.js'

const runCommand = (args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) =>
  run(process.execPath, [command, ...args], options)

test('builds, then says that there is nothing to do', async t => {
  const { root, output, typesOutput } = await makeWorkspace(t)
  const args = ['--out', 'dist/all.bpf.o', '--types', 'dist/all.ts', '--include', 'bpf', '--target', 'bpfel']
  const sources = ['bpf/first.bpf.c', 'bpf/second.bpf.c']
  t.deepEqual(await runCommand([...args, ...sources], { cwd: root }), {
    exitCode: 0,
    stdout: '',
    stderr:
      'bpf-linker-wrapper: compiled bpf/first.bpf.c, bpf/second.bpf.c; wrote dist/all.bpf.o, dist/all.ts\n',
  })
  t.true((await readFile(output)).length > 0)
  t.regex(await readFile(typesOutput, 'utf8'), /export interface Maps/)
  t.deepEqual(await runCommand([...args, ...sources], { cwd: root }), {
    exitCode: 0,
    stdout: '',
    stderr: 'bpf-linker-wrapper: nothing to do, dist/all.bpf.o is up to date\n',
  })
})

test('a macro that is defined changes what is built', async t => {
  const { root, first } = await makeWorkspace(t)
  await appendFile(first, '\n#ifdef REFUSED\n#error "refused"\n#endif\n')
  const args = ['--out', 'all.o', '--include', 'bpf', 'bpf/first.bpf.c']
  t.is((await runCommand(args, { cwd: root })).exitCode, 0)
  const { exitCode, stderr } = await runCommand(['--define', 'REFUSED', ...args], { cwd: root })
  t.not(exitCode, 0)
  t.regex(stderr, /refused/)
})

test('the messages and the exit code of clang are its own', async t => {
  const { root, first } = await makeWorkspace(t)
  await appendFile(first, '\n#error "no further"\n')
  const alone = await run('clang', ['-target', 'bpf', '-c', 'bpf/first.bpf.c', '-o', 'alone.o'], {
    cwd: root,
  })
  t.deepEqual(await runCommand(['--out', 'all.o', 'bpf/first.bpf.c'], { cwd: root }), {
    exitCode: alone.exitCode,
    stdout: '',
    stderr: alone.stderr,
  })
  t.regex(alone.stderr, /no further/)
})

const wrong: [string, string[], RegExp][] = [
  ['nothing at all', [], /--out is missing/],
  ['an unknown option', ['--optimize'], /--optimize/],
  ['an option without its value', ['--out'], /--out/],
  ['an unknown target', ['--out', 'a.o', '--target', 'x86', 'a.bpf.c'], /--target x86/],
  [
    'a macro with a value',
    ['--out', 'a.o', '--define', 'A=1', 'a.bpf.c'],
    /--define A=1 is no name of a macro/,
  ],
  ['no sources', ['--out', 'a.o'], /no sources/],
  ['an empty file for the types', ['--out', 'a.o', '--types', '', 'a.bpf.c'], /--types is empty/],
]

for (const [title, args, message] of wrong) {
  test(`wrong usage ends with 2 and the usage: ${title}`, async t => {
    const { exitCode, stdout, stderr } = await runCommand(args)
    t.is(exitCode, 2)
    t.is(stdout, '')
    t.regex(stderr, message)
    t.regex(stderr, /^usage: bpf-linker-wrapper --out/m)
  })
}

test('help goes to stdout', async t => {
  const { exitCode, stdout } = await runCommand(['--help'])
  t.is(exitCode, 0)
  t.regex(stdout, /^usage: /)
})

test('a missing clang and a place that cannot be written end with 1 and one line', async t => {
  const { root } = await makeWorkspace(t)
  const withoutClang = await runCommand(['--out', 'all.o', 'bpf/first.bpf.c'], {
    cwd: root,
    env: { PATH: root },
  })
  t.is(withoutClang.exitCode, 1)
  t.regex(withoutClang.stderr, /^bpf-linker-wrapper: cannot run clang: it is not there.*install it.*\n$/)
  const unwritable = await runCommand(['--out', 'bpf/bpf.h/all.o', 'bpf/first.bpf.c'], { cwd: root })
  t.is(unwritable.exitCode, 1)
  t.regex(unwritable.stderr, /^bpf-linker-wrapper: cannot write .*choose a place.*\n$/)
})
