type Unit = { name: string; size: number }

const DURATIONS: Unit[] = [
  { name: ' ns', size: 0.001 },
  { name: ' µs', size: 1 },
  { name: ' ms', size: 1e3 },
  { name: ' s', size: 1e6 },
]

const NUMBERS: Unit[] = [
  { name: '', size: 1 },
  { name: 'k', size: 1e3 },
  { name: 'M', size: 1e6 },
  { name: 'G', size: 1e9 },
]

const BYTES: Unit[] = [
  { name: ' B', size: 1 },
  { name: ' kB', size: 1e3 },
  { name: ' MB', size: 1e6 },
  { name: ' GB', size: 1e9 },
]

/** A time given in microseconds for people: three significant digits and its unit, as in `61.2 µs`; `-` for none. */
export const formatDuration = (us: number | null): string => scale(us, DURATIONS)

/** A number in few columns: three significant digits and a letter for the size, as in `20.1k`; `-` for none. */
export const formatShort = (value: number | null): string => scale(value, NUMBERS)

/** A size in bytes for people, as in `61.0 MB`, a MB being a million bytes; `-` for none. */
export const formatBytes = (bytes: number | null): string => scale(bytes, BYTES)

/** A whole number with its thousands apart, as in `100,000`. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US')

/** A share from 0 to 1 as whole per cent, as in `61 %`; what is not nothing never reads as 0 %. */
export const formatShare = (share: number): string => {
  const percent = Math.round(share * 100)
  return percent === 0 && share > 0 ? '<1 %' : `${percent} %`
}

const scale = (value: number | null, units: Unit[]): string => {
  if (value === null) {
    return '-'
  }

  // Compared after rounding, so that 999.6 becomes 1.00 of the next unit and not 1000 of this one.
  const index = units.findIndex(({ size }) => Number((value / size).toPrecision(3)) < 1000)
  const unit = units.at(index)
  if (unit === undefined) {
    throw new RangeError('there must be a unit')
  }

  const scaled = value / unit.size
  // The smallest unit is indivisible, and beyond the largest one digits must not become an exponent.
  const isWhole = index === 0 || scaled >= 1000
  return `${isWhole ? Math.round(scaled) : scaled.toPrecision(3)}${unit.name}`
}
