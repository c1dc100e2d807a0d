import { writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { describePlace } from '../knobs/places/place.js'
import { undo } from '../knobs/undo.js'
import { DONE, READY } from './guard.js'
import { log } from './log.js'
import { openStateFolder } from './state-folder.js'

/** Whoever kills taut by these may mean its whole group; the way back is needed then most of all. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {})

/** When memory runs out the kernel is to take others first (proc(5), oom_score_adj). */
const OOM_SCORE = '-900'

const stayAlive = (): void => {
  try {
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE)
  } catch {}
}

const putBack = async (name: string): Promise<void> => {
  using folder = openStateFolder(name)
  try {
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
  } catch (error) {
    log(folder, `guard: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}

stayAlive()
const [, , name = ''] = process.argv
process.stdout.write(`${READY}\n`)
if ((await text(process.stdin)) !== `${DONE}\n`) await putBack(name)
