import { type Stats, statSync } from 'node:fs'

/** Gives what the kernel tells of a file; null when the path leads nowhere, for whatever reason. */
export const readStats = (path: string): Stats | null => {
  try {
    return statSync(path)
  } catch {
    return null
  }
}
