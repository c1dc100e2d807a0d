/** A bound on what a benchmark found, which is a number or an estimate between two others. */
export type Limit = { what: string; found: number; low?: number; high?: number } & (
  | { atLeast: number }
  | { atMost: number }
)

/** What the project promises, told for people: whether it is met, and whether the interval leaves that open. */
export const judge = (limit: Limit): { what: string; isMet: boolean; isSure: boolean; text: string } => {
  const { what, found, low = found, high = found } = limit
  const isWithin = (value: number): boolean =>
    'atLeast' in limit ? value >= limit.atLeast : value <= limit.atMost
  const isMet = isWithin(found)
  const isSure = isWithin(low) === isMet && isWithin(high) === isMet
  const bound = 'atLeast' in limit ? `at least ${limit.atLeast}` : `at most ${limit.atMost}`
  const doubt = isSure ? '' : ', but the interval reaches across'
  return { what, isMet, isSure, text: `${what}, ${bound}: ${isMet ? 'met' : 'NOT MET'}${doubt}` }
}
