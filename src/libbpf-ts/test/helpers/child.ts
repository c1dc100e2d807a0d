import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** The module of this package, for others to import. */
export const libraryUrl = new URL('../../lib/index.js', import.meta.url).href

/** How a child process ended, and what it wrote. */
export interface ChildResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a module given as text, with everything of this package imported, in a process of its own. */
export const runChild = async (
  code: string,
  args: readonly string[] = [],
  nodeOptions: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): Promise<ChildResult> => {
  const names = 'BpfError, BpfObject, RingBuffer, listLinks, listMaps, listPrograms'
  const source = `import { ${names} } from ${JSON.stringify(libraryUrl)}\n${code}`
  const child = spawn(
    process.execPath,
    [...nodeOptions, '--input-type=module', '--eval', source, '--', 'child', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } },
  )
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => resolve([status, signal]))
  })
  const [stdout, stderr, [status, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    ended,
  ])
  return { code: status, signal, stdout, stderr }
}
