const REPLACEMENTS = new Map([
  ['µ', 'u'],
  ['█', '#'],
  ['▌', '-'],
  ['↑', '^'],
  ['↓', 'v'],
])

/** The text for a terminal that only knows ASCII, in the same number of characters. */
export const toAscii = (text: string): string =>
  text.replaceAll(/\P{ASCII}/gu, character => REPLACEMENTS.get(character) ?? '?')
