/**
 * Loaded into taut before it begins (`node --import`): at its n-th write to the file system, n in TAUT_TEST_AT, it ends
 * as by SIGKILL, with its guard too (`kill-all`) or without (`kill`), or the write fails (an errno's name). Every open
 * for writing, write, fsync, rename and removal counts.
 */
import fs, { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const at = Number(process.env.TAUT_TEST_AT)
const way = process.env.TAUT_TEST_WAY ?? ''
let count = 0

const killChildren = (): void => {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim()
  for (const pid of children.split(' ').filter(word => word !== '')) process.kill(Number(pid), 'SIGKILL')
}

const strike = (): void => {
  if (++count !== at) return
  if (way === 'kill-all') killChildren()
  if (way.startsWith('kill')) process.kill(process.pid, 'SIGKILL')
  throw Object.assign(new Error(`${way}: made to fail`), { code: way })
}

const breakCall = (
  name: 'writeSync' | 'fsyncSync' | 'renameSync' | 'rmSync' | 'ftruncateSync' | 'openSync',
): void => {
  const real = fs[name] as (...args: unknown[]) => unknown
  const broken = (...args: unknown[]): unknown => {
    const isReading = name === 'openSync' && (Number(args[1] ?? 0) & 3) === 0
    if (!isReading) strike()
    return real(...args)
  }
  Object.assign(fs, { [name]: broken })
}

for (const name of ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'ftruncateSync', 'openSync'] as const)
  breakCall(name)
syncBuiltinESMExports()
