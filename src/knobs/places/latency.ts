import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readlinkSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import * as v from 'valibot'
import { listNumbered, readText } from '../../system/files.js'

const DEVICE = '/dev/cpu_dma_latency'
/** What marks the process that holds it for taut. */
const MARK = 'TAUT_CPU_LATENCY_US'
/** No process of taut's holds the device. */
export const NOT_HELD = 'not held'

/**
 * The longest time that an idle CPU may take to wake up, in microseconds: in force while a file is open
 * (Documentation/power/pm_qos_interface.rst), so that a small process of its own keeps it open.
 */
export const latencyPlace = v.strictObject({ kind: v.literal('latency') })

type Holder = { pid: number; value: number }

/** Of several the strictest counts, as it does for the kernel. */
export const readLatency = (): string | null => {
  if (readLatencyInForce() === null) return null
  const values = findHolders().map(({ value }) => value)
  return values.length === 0 ? NOT_HELD : String(Math.min(...values))
}

/** Gives the latency that the kernel keeps to for all who hold the device, in microseconds; null where it has none. */
export const readLatencyInForce = (): number | null => {
  try {
    return readFileSync(DEVICE).readInt32LE()
  } catch {
    return null
  }
}

/** The old holders go first: a taut that is killed in between leaves none, which can be told, and not two. */
export const writeLatency = async (value: string): Promise<void> => {
  const before = findHolders()
  for (const { pid } of before) endHolder(pid)
  for (const { pid } of before) await waitForEnd(pid)
  if (value !== NOT_HELD) await startHolder(Number(value))
}

const endHolder = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (holdsDevice(pid)) throw error
  }
}

/** The device takes ten hexadecimal digits, or four bytes. What is held must outlive taut. */
const startHolder = async (us: number): Promise<void> => {
  const script = `exec 3>${DEVICE} && printf %s "$1" >&3 && echo held && exec sleep infinity`
  const holder = spawn('sh', ['-c', script, 'taut', `0x${us.toString(16).padStart(8, '0')}`], {
    detached: true,
    cwd: '/',
    env: { PATH: process.env.PATH, [MARK]: String(us) },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const outcome = await Promise.race([
    once(holder.stdout, 'data'),
    once(holder, 'exit'),
    once(holder, 'error'),
  ])
  if (!Buffer.isBuffer(outcome[0])) throw new Error(`cannot hold ${DEVICE} open`)
  holder.stdout.destroy()
  holder.unref()
}

const findHolders = (): Holder[] =>
  listNumbered('/proc').flatMap(pid => {
    const value = new RegExp(`(?:^|\0)${MARK}=(\\d+)\0`).exec(readText(`/proc/${pid}/environ`) ?? '')?.[1]
    return value !== undefined && holdsDevice(pid) ? [{ pid, value: Number(value) }] : []
  })

const holdsDevice = (pid: number): boolean => {
  try {
    return readlinkSync(`/proc/${pid}/fd/3`) === DEVICE
  } catch {
    return false
  }
}

const waitForEnd = async (pid: number): Promise<void> => {
  while (holdsDevice(pid)) await setTimeout(1)
}
