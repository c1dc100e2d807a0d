#!/usr/bin/env node
// Compiles native/*.c into dist/libbpf.node, when a source is newer than it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import headers from 'node-api-headers'

const root = fileURLToPath(new URL('..', import.meta.url))
const output = join(root, 'dist/libbpf.node')
const compiler = process.env.CC || 'cc'
// A newer compiler than ours has warnings that we have not seen: they must not stop who only wants to use this.
const strictness = process.env.FAIL_ON_WARNINGS ? ['-Werror'] : []

const fail = (what, why, remedy) => {
  process.stderr.write(`libbpf-ts: ${what}\n  why: ${why}\n  what to do: ${remedy}\n`)
  process.exit(1)
}

const modified = path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

const runs = args => {
  try {
    execFileSync(compiler, args, { input: '#include <bpf/libbpf.h>\n', stdio: ['pipe', 'ignore', 'ignore'] })
    return true
  } catch {
    return false
  }
}

const explainFailure = () => {
  if (!runs(['--version'])) {
    fail(
      `the compiler ${compiler} does not run`,
      'the addon is C, compiled on the machine that uses it',
      'install a C compiler (Debian, Ubuntu: apt-get install gcc libc6-dev), or name one in CC',
    )
  }

  if (!runs(['-xc', '-fsyntax-only', '-'])) {
    fail(
      'the header bpf/libbpf.h was not found',
      'the addon is compiled against libbpf and linked to libbpf.so',
      'install the development files of libbpf (Debian, Ubuntu: apt-get install libbpf-dev)',
    )
  }

  fail(
    'the addon did not compile',
    'see the messages of the compiler above',
    'check that libbpf-dev is 1.0 or newer; if it is, this is a bug: report those messages',
  )
}

const sources = join(root, 'native')
const files = readdirSync(sources).map(name => join(sources, name))
const newest = Math.max(...[...files, fileURLToPath(import.meta.url)].map(modified))
if (modified(output) < newest) {
  mkdirSync(join(root, 'dist'), { recursive: true })
  // Renamed at the end: a process may be running the old one, another may be building too.
  const fresh = `${output}.${process.pid}`
  try {
    execFileSync(
      compiler,
      [
        '-std=gnu11',
        '-O2',
        '-g',
        '-fPIC',
        '-shared',
        '-fvisibility=hidden',
        '-Wall',
        '-Wextra',
        ...strictness,
        `-I${headers.include_dir}`,
        '-o',
        fresh,
        ...files.filter(name => name.endsWith('.c')),
        '-lbpf',
        '-pthread',
      ],
      { stdio: 'inherit' },
    )
    renameSync(fresh, output)
  } catch {
    rmSync(fresh, { force: true })
    explainFailure()
  }
}
