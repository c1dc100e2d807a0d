import { readFileSync } from 'node:fs'
import type { Noise, Usual } from './simulated-machine.js'

const SLICE_S = 0.3

/** Reads slices as record-noise.ts wrote them. */
export const readRecorded = (path: string | URL): Usual[] =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map(line => {
      const [requests = 0, p50 = 0, p99 = 0, p999 = 0, mean = 0, busy = 0] = line.split(',').map(Number)
      return { rate: requests / SLICE_S, p50, p99, p999, mean, busy }
    })

/** Plays recorded slices one after the other, from anywhere, and from the first one again after the last. */
export const replay = (slices: readonly Usual[], from: number): Noise => {
  let next = from
  return () => slices[next++ % slices.length] as Usual
}
