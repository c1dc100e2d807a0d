const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** Functions that wrap a text into terminal codes. */
export type Style = Record<keyof typeof CODES, (text: string) => string>

/** The styles of a terminal; without colour they give the text back as it is. */
export const createStyle = (color: boolean): Style => {
  const paint = (code: number) => (text: string) =>
    color && text !== '' ? `\u001B[${code}m${text}\u001B[0m` : text
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    cyan: paint(CODES.cyan),
  }
}
