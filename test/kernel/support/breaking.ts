/**
 * Loaded into taut and its guard before they begin (`node --import`): at its n-th step, n in TAUT_TEST_AT, it ends as by SIGKILL, with its guard
 * too (`kill-all`) or without (`kill`), or the step fails (an errno's name, in TAUT_TEST_WAY); or only its guard is killed
 * (`kill-guard`), or it is stopped until it is told to go on (`stop`), or both are sent a signal (its name). Steps are every open for
 * writing, write, fsync, rename and removal, and every start of a program that does not only read; when it is to be killed also the moment
 * when that has just been started. With TAUT_TEST_STEPS=knobs only what writes a setting counts. TAUT_TEST_MARK is a file that is there once it was struck;
 * with TAUT_TEST_AFTERWARDS=unreadable the journal can't be read from then on, with =full the disk has no room for another, and so
 * many steps later as TAUT_TEST_KILL_AFTER has, it is killed. The guard is killed at its own n-th step, n in TAUT_TEST_GUARD_AT.
 * TAUT_TEST_LOG is a file to which each step that is a call of the file system is added, with its path.
 */
import childProcess from 'node:child_process'
import fs, { readFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'

const isGuard = process.argv[1]?.endsWith('/guard-process.js') === true
const at = Number((isGuard ? process.env.TAUT_TEST_GUARD_AT : process.env.TAUT_TEST_AT) || Number.NaN)
const way = isGuard ? 'kill' : (process.env.TAUT_TEST_WAY ?? '')
const killAfter = Number(process.env.TAUT_TEST_KILL_AFTER || Number.NaN)
const mark = process.env.TAUT_TEST_MARK
const isOnlyKnobs = !isGuard && process.env.TAUT_TEST_STEPS === 'knobs'
const afterwards = process.env.TAUT_TEST_AFTERWARDS
const log = process.env.TAUT_TEST_LOG
const { writeFileSync: writeMark, appendFileSync: note } = fs
let count = 0
let isStruck = false
let since = 0

const listChildren = (): number[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1')
    .trim()
    .split(' ')
    .filter(word => word !== '')
    .map(Number)

const killChildren = (): void => {
  for (const pid of listChildren()) process.kill(pid, 'SIGKILL')
}

const failWith = (code: string): never => {
  throw Object.assign(new Error(`${code}: made to fail`), { code })
}

const strike = (isOfKnob: boolean): void => {
  if (isStruck && !isGuard && ++since === killAfter) process.kill(process.pid, 'SIGKILL')
  if (isOnlyKnobs && !isOfKnob) return
  if (++count !== at) return
  isStruck = true
  if (mark !== undefined) writeMark(mark, '')
  if (way === 'kill-all' || way === 'kill-guard') killChildren()
  if (way === 'kill' || way === 'kill-all') process.kill(process.pid, 'SIGKILL')
  if (way === 'stop') process.kill(process.pid, 'SIGSTOP')
  // To all of a terminal's, and so to its guard as well.
  if (/^SIG[A-Z]+$/.test(way)) for (const pid of [...listChildren(), process.pid]) process.kill(pid, way)
  if (/^E[A-Z]+$/.test(way)) failWith(way)
}

const isSetting = (path: string): boolean => /^\/(?:sys|proc\/(?:sys|irq))\//.test(path)

/** What taut starts to write a setting; the shell holds a device open. */
const WRITERS = ['taskset', 'ethtool', 'sh']

const isReader = (program: unknown, args: unknown): boolean =>
  program === 'ethtool' && Array.isArray(args) && /^-[a-z]$/.test(String(args[0]))

const breakCall = (
  name: 'writeSync' | 'fsyncSync' | 'renameSync' | 'rmSync' | 'ftruncateSync' | 'openSync',
): void => {
  const real = fs[name] as (...args: unknown[]) => unknown
  const broken = (...args: unknown[]): unknown => {
    const path = name === 'openSync' ? String(args[0]) : ''
    const isReading = name === 'openSync' && (Number(args[1] ?? 0) & 3) === 0
    const isUnreadable = afterwards === 'unreadable' && isReading && path.endsWith('journal.json')
    if (isUnreadable && count >= at) failWith('EIO')
    if (afterwards === 'full' && isStruck && !isReading && path.includes('journal.json')) failWith('ENOSPC')
    if (!isReading) strike(isSetting(path))
    if (!isReading && log !== undefined && !isGuard) note(log, `${name} ${path}\n`)
    return real(...args)
  }
  Object.assign(fs, { [name]: broken })
}

const breakStart = (name: 'spawn' | 'execFile' | 'execFileSync'): void => {
  const real = childProcess[name] as (...args: unknown[]) => unknown
  const breakIt =
    (start: (...args: unknown[]) => unknown) =>
    (...args: unknown[]): unknown => {
      if (isReader(args[0], args[1])) return start(...args)
      const isOfKnob = WRITERS.includes(String(args[0]))
      strike(isOfKnob)
      const started = start(...args)
      if (way === 'kill' || way === 'kill-all') strike(isOfKnob)
      return started
    }
  const broken = breakIt(real)
  const { [promisify.custom]: promised } = real as { [promisify.custom]?: (...args: unknown[]) => unknown }
  if (promised !== undefined) {
    const breakPromised = breakIt(promised)
    Object.assign(broken, { [promisify.custom]: async (...args: unknown[]) => breakPromised(...args) })
  }
  Object.assign(childProcess, { [name]: broken })
}

for (const name of ['writeSync', 'fsyncSync', 'renameSync', 'rmSync', 'ftruncateSync', 'openSync'] as const)
  breakCall(name)
for (const name of ['spawn', 'execFile', 'execFileSync'] as const) breakStart(name)
syncBuiltinESMExports()
