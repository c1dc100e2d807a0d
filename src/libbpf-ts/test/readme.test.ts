import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { kernelTest } from './helpers/kernel.js'
import { multiarch } from './helpers/objects.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
// Within the package, so that its name leads to itself.
const folder = join(root, 'dist/test/readme')
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocksOf = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(match => match[1] ?? '')

/** What each example prints, in the order of the README. */
const outputs = [
  /^system call \d+: 100\d times\n$/,
  /^load EINVAL libbpf: .*counts/,
  /^5n false __s64 __u64\n5n\n$/,
  /^true 0n\n$/,
  /^true true the kernel has no tracepoint no_such_tracepoint\ntrue\ntrue\n$/,
]

kernelTest('the examples of the README compile and run', async t => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const [program = ''] = blocksOf('c')
  writeFileSync(join(folder, 'counter.bpf.c'), program)
  const [, command = ''] = /^ {4}(clang .*)$/m.exec(readme) ?? []
  const includes = `-I/usr/include/${multiarch}`
  const [clang = '', ...flags] = command.split(' ')
  await run(clang, [...flags, includes], { cwd: folder })

  const examples = blocksOf('ts')
  t.is(examples.length, outputs.length)
  const files = examples.map((_, index) => join(folder, `example-${index + 1}.ts`))
  for (const [index, file] of files.entries()) {
    writeFileSync(file, examples[index] ?? '')
  }

  const options =
    '--ignoreConfig --strict --target ES2023 --lib ES2023,ESNext.Disposable --module nodenext --types node'
  await run(process.execPath, [compiler, ...options.split(' '), ...files], { cwd: folder })
  for (const [index, file] of files.entries()) {
    const { stdout, stderr } = await run(process.execPath, [file.replace(/ts$/, 'js')], { cwd: folder })
    t.regex(stdout, outputs[index] ?? /^$/, `example ${index + 1}`)
    t.is(stderr, '')
  }
})
