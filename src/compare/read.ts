import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isHdrLog, readHdrLog } from './hdr-log.js'
import { isMeasureJson, readMeasureJson } from './measure-json.js'
import { addTo, MeasurementError, type Quantity, type Runs, type Samples } from './measurement.js'
import { isMutilate, readMutilate } from './mutilate.js'
import { readPlain } from './plain.js'

const MOST_BYTES = 256 << 20
const CHUNK_BYTES = 1 << 20

/**
 * Reads a measurement: a file of one of the forms that are known by their beginning, or a folder with several of them,
 * whose runs count together; parts of one run in several files are of that run. Throws a MeasurementError, and as the file system does.
 */
export const readMeasurement = (path: string, quantity: Quantity): Runs => {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter(name => !name.startsWith('.'))
        .sort()
        .map(name => join(path, name))
    : [path]
  const [first, ...others] = files.map(file => readFile(file, quantity))
  if (first === undefined) throw new MeasurementError(`${path}: there is no file in it`)
  const other = others.find(samples => describeKind(samples) !== describeKind(first))
  if (other !== undefined)
    throw new MeasurementError(
      `${path}: its files are of different kinds, ${describeKind(first)} and ${describeKind(other)} (try one folder for each)`,
    )
  return joinRuns([first, ...others], first)
}

const joinRuns = (several: readonly Samples[], { quantity, unit, summarize }: Samples): Runs => {
  const runs = new Map<string, (readonly number[])[]>()
  for (const { runs: some } of several) for (const [run, samples] of some) addTo(runs, run, samples)
  return {
    quantity,
    unit,
    values: [...runs.values()].map(parts => summarize(parts.flat())),
    parts: several.reduce((sum, { parts }) => sum + parts, 0),
  }
}

const describeKind = ({ quantity, unit }: Samples): string => `${quantity} a ${unit}`

const readFile = (file: string, quantity: Quantity): Samples => {
  const text = readText(file)
  if (isMeasureJson(text)) return readMeasureJson(file, text, quantity)
  if (isHdrLog(text)) return readHdrLog(file, text, quantity)
  if (isMutilate(text)) return readMutilate(file, text, quantity)
  return readPlain(file, text, quantity)
}

/** Of pipes and devices nobody knows how much there is to come. */
const readText = (file: string): string => {
  const fd = openSync(file, 'r')
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    const chunks: Buffer[] = []
    let size = 0
    for (;;) {
      const count = readSync(fd, chunk)
      if (count === 0) return Buffer.concat(chunks).toString('latin1')
      size += count
      if (size > MOST_BYTES) throw new MeasurementError(`${file}: it is longer than 256 MiB`)
      chunks.push(Buffer.from(chunk.subarray(0, count)))
    }
  } finally {
    closeSync(fd)
  }
}
