import { readdirSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { printable } from '../text/printable.js'
import { readStats } from './file-stats.js'
import { TargetError } from './target-error.js'

const NETNS_FOLDER = '/run/netns'

/** Gives the inode of a network namespace named as `ip netns` does, by path, or by the inode itself. Throws TargetError. */
export const readNamedNetns = (netns: string): number => {
  const path = isAbsolute(netns) ? netns : join(NETNS_FOLDER, netns)
  const isName = isAbsolute(netns) || (!netns.includes('/') && netns !== '..' && netns !== '.')
  const inode = isName ? readStats(path)?.ino : undefined
  if (inode !== undefined) return inode
  if (/^\d+$/.test(netns)) return Number(netns)
  const names = listNetnsNames()
  const known = names.length > 0 ? `; there are: ${names.map(printable).join(', ')}` : ''
  throw new TargetError(
    `there is no network namespace ${printable(netns)}${known}; give a name in ${NETNS_FOLDER}, a path such as /proc/PID/ns/net, or its inode`,
  )
}

const listNetnsNames = (): string[] => {
  try {
    return readdirSync(NETNS_FOLDER)
  } catch {
    // No namespace was ever named.
    return []
  }
}
