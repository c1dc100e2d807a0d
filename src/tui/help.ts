import { describeStage, STAGES_OF } from '../latency/stages.js'
import { wrap } from '../text/width.js'

const KEYS = [
  ['↑ ↓ k j', 'move the cursor (and this help)'],
  ['Enter', 'trace the service under the cursor'],
  ['space', 'hold the screen still, and let it go'],
  ['?', 'this help, on and off'],
  ['q Ctrl-C', 'quit'],
] as const

const INDENT = 11

/** The help: the keys, how to read the bars, and what each stage means, wrapped to the columns. */
export const composeHelp = (columns: number): string[] => {
  const row = ([term, text]: readonly [string, string]): string[] =>
    wrap(text, columns - INDENT).map(
      (line, index) => ` ${(index === 0 ? term : '').padEnd(INDENT - 1)}${line}`,
    )
  const bars =
    'The columns are the requests at and above a percentile: the slowest 50 %, 1 % and 0.1 %. Times are means over them, bars the share of their mean.'
  const losses =
    'What is lost or unanswered is counted since the service has been traced; all else is of the last second.'
  return [
    ...KEYS.flatMap(key => row(key)),
    '',
    ...[bars, losses].flatMap(text => wrap(text, columns - 2).map(line => ` ${line}`)),
    '',
    ...STAGES_OF.server.flatMap(stage => row([stage, describeStage(stage, 'server')])),
  ]
}
