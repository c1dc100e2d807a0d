/**
 * Calls `end` when this child process is told to end (SIGTERM); a lost parent ends it at once.
 *
 * Ctrl-C and a closed terminal reach a whole process group; those are the parent's to answer.
 */
export const endWithParent = (end: () => void): void => {
  process.on('SIGINT', () => {})
  process.on('SIGHUP', () => {})
  process.once('SIGTERM', end)
  process.on('disconnect', () => process.exit(1))
}

/** Sends a message to the parent, if there is one. */
export const tellParent = (message: Record<string, number>): void => {
  process.send?.(message)
}
