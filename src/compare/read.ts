import { closeSync, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isHdrLog, readHdrLog } from './hdr-log.js'
import { isMeasureJson, readMeasureJson } from './measure-json.js'
import { MeasurementError, type Quantity, type Runs } from './measurement.js'
import { isMutilate, readMutilate } from './mutilate.js'
import { readPlain } from './plain.js'

const MOST_BYTES = 256 << 20

/**
 * Reads a measurement: a file of one of the forms that are known by their beginning, or a folder with several of them,
 * whose runs count together. Throws a MeasurementError, and as the file system does.
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
  const other = others.find(runs => describeKind(runs) !== describeKind(first))
  if (other !== undefined)
    throw new MeasurementError(
      `${path}: its files are of different kinds, ${describeKind(first)} and ${describeKind(other)} (try one folder for each)`,
    )
  const all = [first, ...others]
  return {
    ...first,
    values: all.flatMap(({ values }) => values),
    parts: all.reduce((sum, { parts }) => sum + parts, 0),
  }
}

const describeKind = ({ quantity, unit }: Runs): string => `${quantity} a ${unit}`

const readFile = (file: string, quantity: Quantity): Runs => {
  const text = readText(file)
  if (isMeasureJson(text)) return readMeasureJson(file, text, quantity)
  if (isHdrLog(text)) return readHdrLog(file, text, quantity)
  if (isMutilate(text)) return readMutilate(file, text, quantity)
  return readPlain(file, text, quantity)
}

const readText = (file: string): string => {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    if (size > MOST_BYTES) throw new MeasurementError(`${file}: ${size} bytes are too many (256 MiB at most)`)
    return readFileSync(fd, 'latin1')
  } finally {
    closeSync(fd)
  }
}
