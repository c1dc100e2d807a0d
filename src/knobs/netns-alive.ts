import { readlinkSync } from 'node:fs'
import { listEntries, listNumbered, readText } from '../system/files.js'
import { readNetns } from '../system/services.js'

/** Tells whether a network namespace is there: a process is in it or has it open, or it is mounted somewhere, as by name. */
export const isNetnsAlive = (inode: number): boolean => {
  const pids = listNumbered('/proc')
  return (
    pids.some(pid => readNetns(pid) === inode) ||
    pids.some(pid => isMounted(pid, inode) || isOpen(pid, inode))
  )
}

/** As a process sees it: others have mounts of their own. */
const isMounted = (pid: number, inode: number): boolean =>
  readText(`/proc/${pid}/mountinfo`)?.includes(` net:[${inode}] `) === true

const isOpen = (pid: number, inode: number): boolean =>
  listEntries(`/proc/${pid}/fd`).some(fd => readLink(`/proc/${pid}/fd/${fd}`) === `net:[${inode}]`)

const readLink = (path: string): string | null => {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
