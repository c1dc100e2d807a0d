import { readText } from './files.js'

/** What the kernel tells of a process or thread: its name, and its numbers by their place in proc_pid_stat(5); NaN for others. */
export type Stat = { comm: string; field: (place: number) => number }

/** Reads a stat file of /proc; null when the process is gone. */
export const readStat = (path: string): Stat | null => {
  const text = readText(path) ?? ''
  // The name is in parentheses, and may hold spaces, line breaks and parentheses itself.
  const end = text.lastIndexOf(')')
  if (end === -1) return null
  const fields = text.slice(end + 2).split(' ')
  // proc(5) counts from 1, and the first one behind the name is field 3.
  return { comm: text.slice(text.indexOf('(') + 1, end), field: place => Number(fields[place - 3]) }
}
