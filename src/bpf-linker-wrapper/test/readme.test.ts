import { readFile, symlink, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { command, makeWorkspace, run, tsc } from './helpers/workspace.js'

const readme = fileURLToPath(new URL('../../README.md', import.meta.url))
const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url))

test('the example in the README builds, and its code fits the types', async t => {
  const { root, path } = await makeWorkspace(t)
  const text = await readFile(readme, 'utf8')
  const blockOf = (language: string) =>
    new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'm').exec(text)?.[1] ?? ''
  await writeFile(path('counter.bpf.c'), blockOf('c'))
  const [npx, name, ...args] = blockOf('sh').trim().split(' ')
  t.deepEqual([npx, name], ['npx', 'bpf-linker-wrapper'])
  const built = await run(process.execPath, [command, ...args], { cwd: root })
  t.is(built.exitCode, 0, built.stderr)

  await symlink(modules, path('node_modules'))
  await writeFile(path('package.json'), '{ "type": "module" }')
  await writeFile(path('use.ts'), blockOf('ts'))
  const flags = [
    '--strict',
    '--target',
    'es2023',
    '--module',
    'nodenext',
    '--skipLibCheck',
    '--types',
    'node',
  ]
  const checked = await run(process.execPath, [tsc, ...flags, '--noEmit', 'use.ts'], { cwd: root })
  t.is(checked.exitCode, 0, checked.stdout)
})
