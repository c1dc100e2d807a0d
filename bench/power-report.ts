/** How often a setting is kept that makes the 99th percentile so much less, both in percent, at one noise. */
export type Curve = { noise: number; points: { gain: number; kept: number }[] }

const BEGIN = '<!-- written by npm run bench:power -->'
const END = '<!-- until here -->'

/** Gives the table in Markdown: a line a gain, a column a noise; all curves have the same gains. */
export const tabulatePower = (curves: readonly Curve[]): string => {
  const lineOf = (...cells: string[]): string => `| ${cells.join(' | ')} |`
  const gains = curves[0]?.points.map(({ gain }) => gain) ?? []
  return [
    lineOf('p99 is less by', ...curves.map(({ noise }) => `kept at noise ${noise}`)),
    `|${'---|'.repeat(curves.length + 1)}`,
    ...gains.map((gain, row) =>
      lineOf(`${gain} %`, ...curves.map(({ points }) => `${points[row]?.kept ?? Number.NaN} %`)),
    ),
  ].join('\n')
}

/** Reads such a table back, of a page that has it between its marks. Throws an Error where there is none. */
export const readTable = (page: string): Curve[] => {
  const [head = '', , ...lines] = cutTable(page).table.trim().split('\n')
  const numbersOf = (line: string): number[] => Array.from(line.matchAll(/[\d.]+(?= )/g), Number)
  // The 99 of p99 is followed by a space as well.
  const noises = numbersOf(head.slice(head.indexOf('kept')))
  const rows = lines.map(numbersOf)
  return noises.map((noise, column) => ({
    noise,
    points: rows.map(([gain = Number.NaN, ...kept]) => ({ gain, kept: kept[column] ?? Number.NaN })),
  }))
}

/** Gives a page with another table between its marks. Throws an Error where it has none. */
export const replaceTable = (page: string, table: string): string => {
  const { before, after } = cutTable(page)
  return `${before}\n${table}\n${after}`
}

const cutTable = (page: string): { before: string; table: string; after: string } => {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`the page has no table between ${BEGIN} and ${END}`)
  const from = begin + BEGIN.length
  return { before: page.slice(0, from), table: page.slice(from, end), after: page.slice(end) }
}

const SIZE = { width: 640, height: 360 }
const AREA = { left: 56, right: 520, top: 24, bottom: 304 }
/** Told apart without colours too (Okabe and Ito's palette, and different dashes). */
const STYLES = [
  { color: '#0072b2', dash: '' },
  { color: '#d55e00', dash: '7 3' },
  { color: '#009e73', dash: '2 3' },
  { color: '#555555', dash: '9 3 2 3' },
]
const LABEL_HEIGHT = 16

/** Gives the plot as SVG: how often a setting is kept against how much it helps, a line a noise. */
export const plotPower = (curves: readonly Curve[]): string => {
  const most = Math.max(...curves.flatMap(({ points }) => points.map(({ gain }) => gain)))
  const x = (gain: number): number => round(AREA.left + ((AREA.right - AREA.left) * gain) / most)
  const y = (kept: number): number => round(AREA.bottom - ((AREA.bottom - AREA.top) * kept) / 100)
  const text = (at: [x: number, y: number], content: string, attributes = ''): string =>
    `<text x="${at[0]}" y="${at[1]}"${attributes}>${content}</text>`
  const across = [0, 20, 40, 60, 80, 100].flatMap(kept => [
    `<path d="M${AREA.left} ${y(kept)}H${AREA.right}" stroke="#ddd"/>`,
    text([AREA.left - 8, y(kept) + 4], `${kept} %`, ' text-anchor="end"'),
  ])
  const along = Array.from({ length: Math.floor(most / 10) + 1 }, (_, step) =>
    text([x(step * 10), AREA.bottom + 20], `${step * 10} %`, ' text-anchor="middle"'),
  )
  const labels = placeLabels(curves.map(({ points }) => y(points.at(-1)?.kept ?? 0)))
  const lines = curves.flatMap(({ noise, points }, index) => {
    const { color, dash } = STYLES[index % STYLES.length] ?? { color: '#000', dash: '' }
    const path = points.map(({ gain, kept }) => `${x(gain)},${y(kept)}`).join(' ')
    return [
      `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"${dash && ` stroke-dasharray="${dash}"`}/>`,
      ...points.map(({ gain, kept }) => `<circle cx="${x(gain)}" cy="${y(kept)}" r="3" fill="${color}"/>`),
      text([AREA.right + 10, (labels[index] ?? 0) + 4], `noise ${noise}`, ` fill="${color}"`),
    ]
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="sans-serif" font-size="13">`,
    '<title>How often taut tune keeps a setting that helps</title>',
    `<rect width="${SIZE.width}" height="${SIZE.height}" fill="#fff"/>`,
    ...across,
    ...along,
    text([(AREA.left + AREA.right) / 2, AREA.bottom + 44], 'p99 is less by', ' text-anchor="middle"'),
    text([AREA.left - 44, AREA.top - 9], 'kept, of all runs'),
    ...lines,
    '</svg>',
  ].join('\n')}\n`
}

const round = (pixels: number): number => Math.round(pixels * 10) / 10

/** Moves labels that would lie on each other up, the lowest one stays. */
const placeLabels = (heights: readonly number[]): number[] => {
  const placed = [...heights]
  let last = Number.POSITIVE_INFINITY
  // Of lines that end at the same height, the first is named on top.
  const fromBelow = heights
    .map((_, index) => index)
    .sort((a, b) => (heights[b] ?? 0) - (heights[a] ?? 0) || b - a)
  for (const index of fromBelow) {
    last = Math.min(heights[index] ?? 0, last - LABEL_HEIGHT)
    placed[index] = last
  }
  return placed
}
