const COMBINING = /^\p{M}$/u
const WIDE =
  /^(?:[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|[\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation})$/u

const characterWidth = (character: string): number => {
  if (COMBINING.test(character)) {
    return 0
  }

  return WIDE.test(character) ? 2 : 1
}

/** How many columns of a terminal a printable text takes; East Asian wide characters and emoji take two. */
export const displayWidth = (text: string): number =>
  [...text].reduce((width, character) => width + characterWidth(character), 0)

/** The beginning of a text that fits into the columns. */
export const cut = (text: string, columns: number): string => {
  let kept = ''
  let width = 0
  for (const character of text) {
    width += characterWidth(character)
    if (width > columns) {
      break
    }

    kept += character
  }

  return kept
}

/** A text in exactly as many columns: cut, or filled with spaces at its end. */
export const alignLeft = (text: string, columns: number): string => {
  const kept = cut(text, columns)
  return kept + ' '.repeat(columns - displayWidth(kept))
}

/** A text in exactly as many columns: cut, or filled with spaces at its beginning. */
export const alignRight = (text: string, columns: number): string => {
  const kept = cut(text, columns)
  return ' '.repeat(columns - displayWidth(kept)) + kept
}

/** Breaks a text between its words into lines of at most as many columns; longer words are broken inside. */
export const wrap = (text: string, columns: number): string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(`${line} ${word}`) <= columns) {
      line = `${line} ${word}`
      continue
    }

    if (line !== '') {
      lines.push(line)
    }

    line = word
    while (displayWidth(line) > columns) {
      const head = cut(line, columns)
      lines.push(head)
      line = line.slice(head.length)
    }
  }

  return [...lines, line]
}

/** The width to format a report for: that of the terminal, but never less than 40 columns. */
export const reportWidth = (columns: number): number => Math.max(40, columns)
