import { checkOptions, toBigInt } from './options.js'

/** The kinds of perf events, as `enum perf_type_id` has them. */
export const perfTypes = {
  hardware: 0,
  software: 1,
  tracepoint: 2,
  hardwareCache: 3,
  raw: 4,
  breakpoint: 5,
} as const

/** A perf event to open; needs either a period or a frequency, and at least one of pid and cpu. */
export interface PerfEvent {
  /** A name of `perfTypes`, or the number of a PMU from /sys/bus/event_source. */
  readonly type: keyof typeof perfTypes | number
  /** Which event of that type; for software ones 0 is the CPU clock. */
  readonly config: number | bigint
  /** One sample in so many events. */
  readonly samplePeriod?: number | bigint
  /** Samples a second. */
  readonly sampleFrequency?: number | bigint
  /** A thread, 0 for the calling one; by default every one. */
  readonly pid?: number
  /** A CPU; by default every one. */
  readonly cpu?: number
}

/** What perf_event_open takes; throws a TypeError or RangeError that names what is wrong in `event`. */
export const resolvePerfEvent = (event: PerfEvent) => {
  checkOptions(event, 'event', ['type', 'config', 'samplePeriod', 'sampleFrequency', 'pid', 'cpu'])
  const { type, config, samplePeriod, sampleFrequency, pid = -1, cpu = -1 } = event
  if (typeof type === 'string' && !Object.hasOwn(perfTypes, type)) {
    throw new TypeError(`type must be a number or one of ${Object.keys(perfTypes).join(', ')}`)
  }

  if ((samplePeriod === undefined) === (sampleFrequency === undefined)) {
    throw new TypeError('event must have either a samplePeriod or a sampleFrequency')
  }

  return {
    type: typeof type === 'string' ? perfTypes[type] : type,
    config: toBigInt(config, 'config'),
    byFrequency: sampleFrequency !== undefined,
    sample:
      sampleFrequency === undefined
        ? toBigInt(samplePeriod, 'samplePeriod')
        : toBigInt(sampleFrequency, 'sampleFrequency'),
    pid,
    cpu,
  }
}
