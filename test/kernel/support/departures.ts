import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Context } from './kernel-test.js'
import { startOwnProbes } from './own-probes.js'
import { waitFor } from './wait.js'

const run = promisify(execFile)

type Link = { ifindex: number; stats64: { tx: { packets: number } } }

const readLink = async (netns: string, device: string): Promise<Link> => {
  const { stdout } = await run('ip', ['-n', netns, '-json', '-statistics', 'link', 'show', device])
  return JSON.parse(stdout)[0]
}

/**
 * Gives the function that tells how many packets a device has sent since, by the kernel's count, without any probe being told. Where
 * they wait in a queue, a timer lets them go, in whichever thread's time; and there are kernels that run no probes in the time of
 * some, such as those of the first process of a virtual machine.
 */
export const watchDepartures = async (
  t: Context,
  netns: string,
  device: string,
): Promise<() => Promise<number>> => {
  const { ifindex } = await readLink(netns, device)
  const { ino } = await stat(`/run/netns/${netns}`)
  const ask = await startOwnProbes(t, 'departures', { netns: ino, ifindex }, 'packets')
  const countSent = async (): Promise<number> => (await readLink(netns, device)).stats64.tx.packets
  // Both at a time when nothing is sent.
  const countUntold = (): Promise<number> =>
    waitFor(`${device} to be quiet`, async () => {
      const before = await countSent()
      const told = await ask()
      return (await countSent()) === before ? before - told : null
    })
  const before = await countUntold()
  return async () => (await countUntold()) - before
}
