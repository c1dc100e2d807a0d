import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { printable } from '../text/printable.js'
import type { StateFolder } from './state-folder.js'

const FILE = 'log'

/** Adds a line with the time to the log in the folder. What can't be logged must not keep a setting from being put back. */
export const log = (folder: StateFolder, message: string): void => {
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND
    // Neither through a link, nor waiting for whoever reads a pipe.
    const mode = flags | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const fd = openSync(`${folder.path}/${FILE}`, mode, 0o600)
    try {
      writeSync(fd, `${new Date().toISOString()} ${printable(message)}\n`)
    } finally {
      closeSync(fd)
    }
  } catch {}
}
