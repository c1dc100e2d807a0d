import { readFrequencyTimes } from '../system/frequencies.js'
import { readIdleTimes } from '../system/idle.js'
import { type EnergyMeter, joulesBetween, listEnergyMeters } from '../system/power.js'
import { listThermometers, type Thermometer } from '../system/temperature.js'

/** What tells of the machine's energy, of meters that don't overlap and are added up; and what it is called. */
export type EnergySource = { name: string; meters: readonly EnergyMeter[] }

/** What tells of the machine's cost; no energy but where the hardware tells. */
export type Meters = { energy: EnergySource | null; thermometers: Thermometer[] }

/** Finds them. */
export const findMeters = (sys = '/sys'): Meters => ({
  energy: chooseSource(listEnergyMeters(sys)),
  thermometers: listThermometers(sys),
})

/**
 * Chooses what tells most of the machine: psys, or all CPU packages, which powercap counts; or the first power sensor of a board,
 * for several may overlap; or batteries, where the machine runs on them.
 */
export const chooseSource = (all: readonly EnergyMeter[]): EnergySource | null => {
  const meters = all.filter(({ read }) => read() !== null)
  const of = (source: EnergyMeter['source']): EnergyMeter[] => meters.filter(meter => meter.source === source)
  const zones = of('powercap')
  const choices = [
    zones.filter(({ name }) => name === 'psys').slice(0, 1),
    zones.filter(({ name }) => /^package-\d+$/.test(name)),
    zones.slice(0, 1),
    of('hwmon').slice(0, 1),
    of('battery'),
  ]
  const chosen = choices.find(choice => choice.length > 0)
  const [first] = chosen ?? []
  if (chosen === undefined || first === undefined) return null
  return { name: `${first.source} ${chosen.map(({ name }) => name).join('+')}`, meters: chosen }
}

/** Gives what all meters of a source show; null where one shows nothing. */
export const readSource = ({ meters }: EnergySource): number[] | null => {
  const values = meters.flatMap(({ read }) => read() ?? [])
  return values.length === meters.length ? values : null
}

/** Gives the watts between two readings: of counters the mean, else what was shown at the end; null where it is not known. */
export const wattsBetween = (
  { meters }: EnergySource,
  before: readonly number[],
  after: readonly number[],
  seconds: number,
): number | null => {
  const watts = meters.flatMap((meter, index) => {
    const [begin = Number.NaN, end = Number.NaN] = [before[index], after[index]]
    if (meter.unit === 'W') return end
    const joules = joulesBetween(meter, begin, end)
    return joules === null ? [] : joules / seconds
  })
  return watts.length === meters.length ? watts.reduce((sum, value) => sum + value, 0) : null
}

const POLL_MS = 25

/**
 * Watches how often a source tells something new; gives what ends that, and gives the longest time in milliseconds without news;
 * infinite where there was none twice.
 */
export const watchRefresh = (source: EnergySource, now: () => number): (() => number) => {
  let last = JSON.stringify(readSource(source))
  let changedAt: number | null = null
  let longest = 0
  let changes = 0
  const poll = setInterval(() => {
    const shown = JSON.stringify(readSource(source))
    if (shown === last) return
    last = shown
    if (changedAt !== null) longest = Math.max(longest, now() - changedAt)
    changedAt = now()
    changes++
  }, POLL_MS)
  poll.unref()
  return () => {
    clearInterval(poll)
    if (changedAt === null || changes < 2) return Number.POSITIVE_INFINITY
    // It may have been about to be late.
    return Math.max(longest, now() - changedAt)
  }
}

/** How energy is told in a run; `why` there is no meter, where one is there that can't be used. */
export type EnergyBasis = { source: EnergySource | null; why: string | null }

/** Lets a source be used for slices of so many milliseconds only where it tells something new within each. */
export const chooseBasis = (source: EnergySource | null, refreshMs: number, sliceMs: number): EnergyBasis => {
  if (source === null) return { source, why: 'nothing here tells watts' }
  if (refreshMs <= sliceMs) return { source, why: null }
  const news = Number.isFinite(refreshMs)
    ? `tells something new only every ${(refreshMs / 1000).toFixed(1)} s`
    : 'told nothing new meanwhile'
  return { source: null, why: `${source.name} ${news}, and slices take ${(sliceMs / 1000).toFixed(1)} s` }
}

/** Says what stands in for watts here: see `awake` of a slice. */
export const nameStandIn = (sys = '/sys'): string => {
  const [hasStates, hasFrequencies] = [readIdleTimes(sys) !== null, readFrequencyTimes(sys) !== null]
  const time = hasStates ? 'time awake, by the depth of idle states' : 'CPU busy time'
  return hasFrequencies ? `${time}, times the mean frequency` : time
}
