import * as v from 'valibot'
import { TOTAL_FIELDS } from '../latency/document.js'
import { median } from '../statistics/summary.js'
import { addTo, type Quantity, refuse, type Samples } from './measurement.js'

const times = v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0)))

/** As much of taut's own documents as is compared. */
const documentSchema = v.object({
  schema: v.literal(1),
  session: v.optional(v.string()),
  started_at: v.pipe(v.string(), v.isoTimestamp()),
  seconds: v.pipe(v.number(), v.finite(), v.minValue(0)),
  requests: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  total: v.object({ mean_us: times, p50_us: times, p90_us: times, p99_us: times, p999_us: times }),
})

/** Documents without a session's name are from before there was one; then the next of a session began where the last ended. */
const SAME_RUN_MS = 100

/** Tells whether a text begins as taut's documents do. */
export const isMeasureJson = (text: string): boolean => text.trimStart().startsWith('{')

/**
 * Reads documents of `taut measure --json`, one a line, each of a run; those of one session, as `taut live --json` prints
 * them, are of one run together, of which the median counts.
 */
export const readMeasureJson = (file: string, text: string, quantity: Quantity): Samples => {
  const field = TOTAL_FIELDS[quantity]
  const runs = new Map<string, number[]>()
  let last = { run: '', start: Number.POSITIVE_INFINITY, end: Number.NEGATIVE_INFINITY }
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const { total, session, started_at, seconds } = parse(file, index + 1, line)
    const value = total[field]
    const start = Date.parse(started_at)
    const goesOn = start >= last.start && start - last.end < SAME_RUN_MS
    const run = session ?? (goesOn ? last.run : `${file}, line ${index + 1}`)
    last = { run, start, end: start + seconds * 1000 }
    if (value !== null) addTo(runs, run, value)
  }
  if (runs.size === 0) return refuse(file, 0, 'no request was measured in it')
  return {
    quantity: field,
    unit: 'session',
    runs,
    summarize: median,
    parts: [...runs.values()].flat().length,
  }
}

const parse = (file: string, line: number, text: string): v.InferOutput<typeof documentSchema> => {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return refuse(file, line, 'it is no JSON (one document of taut measure --json a line)')
  }
  const result = v.safeParse(documentSchema, parsed)
  if (result.success) return result.output
  const [issue] = result.issues
  return refuse(
    file,
    line,
    `it is no document of taut measure --json: ${v.getDotPath(issue) ?? 'document'}: ${issue.message}`,
  )
}
