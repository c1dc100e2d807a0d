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

type Holder = { pid: number; value: string }

export const readLatency = (): string | null => {
  if (readLatencyInForce() === null) return null
  return findHolders()[0]?.value ?? NOT_HELD
}

/** Gives the latency that the kernel keeps to for all who hold the device, in microseconds; null where it has none. */
export const readLatencyInForce = (): number | null => {
  try {
    return readFileSync(DEVICE).readInt32LE()
  } catch {
    return null
  }
}

export const writeLatency = async (value: string): Promise<void> => {
  const before = findHolders()
  if (value !== NOT_HELD) await startHolder(Number(value))
  for (const { pid } of before) process.kill(pid, 'SIGKILL')
  for (const { pid } of before) await waitForEnd(pid)
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
    return value !== undefined && holdsDevice(pid) ? [{ pid, value }] : []
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
