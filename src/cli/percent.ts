/** Reads a percentage such as `1%`, `0.5%` or `5` as a share; null when it is none. */
export const readPercent = (text: string): number | null => {
  const [, digits] = /^(\d+(?:\.\d+)?)%?$/.exec(text) ?? []
  return digits === undefined ? null : Number(digits) / 100
}
