import type { Attribution } from './compare.js'
import type { Injection } from './injection.js'

/** What came out for one stage. */
export type Row = Pick<Injection, 'stage' | 'by'> & Attribution & { attempt: number }

/** Gives the results as a table in Markdown. */
export const formatTable = (rows: readonly Row[]): string => {
  const head = [
    'stage',
    'delayed by',
    'injected',
    'found there',
    'found elsewhere',
    'most in one other stage',
  ]
  const lines = rows.map(({ stage, by, injectedUs, there, elsewhere, most }) => [
    `\`${stage}\``,
    by,
    `${Math.round(injectedUs)} µs`,
    percent(there),
    percent(elsewhere),
    `${percent(most.share)}, \`${most.stage}\``,
  ])
  return [head, head.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`
