import { EXIT } from './failure.js'

/** What writing says when whoever read us is gone; and what it says from then on. */
const GONE = ['EPIPE', 'ERR_STREAM_DESTROYED']

let isOutlived = false

/** From now on taut goes on when nobody reads what it says. */
export const outliveReader = (): void => {
  isOutlived = true
}

/** Ends taut, with nothing to complain about, when whoever reads its stdout has seen enough, as head does. */
export const endWithReader = (): void => {
  const isGone = (error: Error): boolean => 'code' in error && GONE.includes(String(error.code))
  process.stdout.on('error', error => {
    if (!isGone(error)) throw error
    if (!isOutlived) process.exit(process.exitCode ?? EXIT.done)
  })
  process.stderr.on('error', error => {
    if (!isGone(error)) throw error
  })
}
