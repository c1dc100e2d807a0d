/** Gives a number with three decimals, as documents have them. */
export const round = (value: number): number => Math.round(value * 1000) / 1000

/** The same; null stays null. */
export const roundKnown = (value: number | null): number | null => (value === null ? null : round(value))
