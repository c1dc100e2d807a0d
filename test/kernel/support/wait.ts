import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { Ending, Running } from './processes.js'

const POLL_MS = 10
/** An emulated machine takes half of that to start taut. */
const PATIENCE_MS = 60_000

/** Gives what `look` gives as soon as that is not null; throws after a generous time, naming what did not come. */
export const waitFor = async <T>(
  what: string,
  look: () => Promise<T | null> | T | null,
  ms = PATIENCE_MS,
) => {
  const end = performance.now() + ms
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await setTimeout(POLL_MS)
  }
}

/** Waits until a process has written a file, and gives its content; throws when the process ended before. */
export const waitForFile = async (path: string, { ended }: Pick<Running, 'ended'>): Promise<string> => {
  let ending: Ending | undefined
  void ended.then(result => {
    ending = result
  })
  return waitFor(path, async () => {
    const content = await readFile(path, 'utf8').catch(() => '')
    if (content.endsWith('\n')) return content
    if (ending !== undefined) throw new Error(`ended with ${ending.code ?? ending.signal}: ${ending.stderr}`)
    return null
  })
}
