const REPLACEMENTS = new Map([
  ['µ', 'u'],
  ['█', '#'],
  ['▌', '-'],
  ['─', '-'],
  ['≥', '>'],
  ['↑', '^'],
  ['↓', 'v'],
  ['·', '|'],
  ['…', '~'],
])

/** The text for a terminal that only knows ASCII, in the same number of characters. */
export const toAscii = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal codes must pass
  text.replaceAll(/[^\u0000-\u007F]/gu, character => REPLACEMENTS.get(character) ?? '?')
