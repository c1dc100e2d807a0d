import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { describePlace } from '../knobs/places/place.js'
import { undo } from '../knobs/undo.js'
import { listNumbered, readText } from '../system/files.js'
import { DONE, MARK, READY } from './guard.js'
import { noteOwner } from './lock.js'
import { log } from './log.js'
import { openStateFolder, type StateFolder } from './state-folder.js'

/** Whoever kills taut by these may mean its whole group; the way back is needed then most of all. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {})

/** When memory runs out the kernel is to take others first (proc(5), oom_score_adj). */
const OOM_SCORE = '-900'
/** The first file of the lock, behind stdin, stdout and stderr. */
const LOCK_FD = 3
const PATIENCE_MS = 2000
const POLL_MS = 2

const stayAlive = (): void => {
  try {
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE)
  } catch {}
}

/** Others that want the lock are told who has it. */
const takeOver = (lockFiles: number): void => {
  try {
    noteOwner(Array.from({ length: lockFiles }, (_, index) => LOCK_FD + index))
  } catch {}
}

/** A program that taut had just started, as taskset or ethtool, may be about to write still. */
const waitForPrograms = async (run: string): Promise<void> => {
  const isOfRun = (pid: number): boolean =>
    readText(`/proc/${pid}/environ`)?.includes(`${MARK}=${run}`) === true
  const end = performance.now() + PATIENCE_MS
  while (listNumbered('/proc').some(isOfRun) && performance.now() < end) await setTimeout(POLL_MS)
}

const putBack = async (folder: StateFolder): Promise<void> => {
  const { undone, unwritten } = await undo(folder, ({ kept }) => !kept)
  if (unwritten !== null) log(folder, `guard: the journal can't be written: ${unwritten}`)
  for (const { entry, left } of undone) {
    const place = `${entry.knob}, ${describePlace(entry.place)}`
    log(
      folder,
      left === null
        ? `guard: taut is gone; put back ${place}: ${entry.from}`
        : `guard: left ${place}: ${left}`,
    )
  }
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Gives null, and says why, where there is no such folder: taut must not begin then. */
const openFolder = (name: string): StateFolder | null => {
  try {
    return openStateFolder(name)
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`)
    process.exitCode = 1
    return null
  }
}

const watch = async (folder: StateFolder, run: string, lockFiles: number): Promise<void> => {
  process.stdout.write(`${READY}\n`)
  if ((await text(process.stdin)) === `${DONE}\n`) return
  try {
    takeOver(lockFiles)
    await waitForPrograms(run)
    await putBack(folder)
  } catch (error) {
    log(folder, `guard: ${describe(error)}`)
    process.exitCode = 1
  }
}

stayAlive()
const [, , name = '', run = '', lockFiles] = process.argv
const folder = openFolder(name)
if (folder !== null) await watch(folder, run, Number(lockFiles))
