import type { Command } from 'commander'
import { type Advice, advise, commandsOf, REQUESTS_TO_ADVISE } from '../advise/all.js'
import { GAIN_BASIS } from '../advise/gain.js'
import { watchMachine } from '../advise/gather.js'
import { percent } from '../advise/rule.js'
import type { MeasureDocument } from '../latency/document.js'
import { round } from '../latency/round.js'
import { Session } from '../probes/session.js'
import { printable } from '../text/printable.js'
import { createStyle, type Style } from '../text/style.js'
import { formatCount } from '../text/units.js'
import { reportWidth, wrap } from '../text/width.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { chooseTarget } from './choose-target.js'
import { createDurationOption } from './duration.js'
import { EXIT } from './failure.js'
import { listenForInterrupt } from './interrupt.js'
import { refreshUntil } from './measure.js'
import { requirePermission } from './permission.js'
import { isDone, planAdvice } from './plan-advice.js'
import { formatLost, type ReportOptions } from './report.js'
import { describeCommand } from './shell-commands.js'
import { addTargetOptions, pickTarget, type TargetArguments } from './target-options.js'
import { describeTerminal } from './terminal.js'

type AdviseOptions = TargetArguments & BtfArguments & { for: number; json?: boolean }

/** Adds `taut advise`: what would help a service, with the evidence; changes nothing. */
export const addAdvise = (program: Command): void => {
  addBtfOption(addTargetOptions(program.command('advise')))
    .description('recommendations with their evidence, changes nothing')
    .addOption(createDurationOption('how long to look'))
    .option('--json', 'print one JSON document')
    .action(adviseUser)
}

const adviseUser = async (options: AdviseOptions): Promise<void> => {
  requirePermission()
  const interrupt = listenForInterrupt()
  const types = pickKernelTypes(options)
  const target = await chooseTarget(pickTarget(options), types)
  using session = await Session.start(target, types)
  const watch = watchMachine(target.service)
  await refreshUntil(session, options.for * 1000, interrupt.signal)
  const document = await session.stop()
  const machine = await watch()
  const advice = document.requests < REQUESTS_TO_ADVISE ? [] : advise({ document, machine })
  const listed: AdviceByHand[] = []
  for (const each of advice) {
    const plan = await planAdvice(each, target.service)
    // What is set so already did not help enough.
    if (each.settings.length > 0 && isDone(plan)) continue
    const changes = plan.plans.flatMap(({ changes }) => changes)
    const shell = changes.map(({ place, to }) => describeCommand(place, to))
    listed.push({ ...each, shell, obstacle: plan.obstacle })
  }
  process.stdout.write(
    options.json
      ? `${JSON.stringify(adviceDocument(document, listed))}\n`
      : formatAdvice(document, listed, describeTerminal(process.stdout)),
  )
  if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted
}

/** Advice with the commands to follow it without taut; or why it can't be followed here. */
export type AdviceByHand = Advice & { shell: string[]; obstacle: string | null }

/** What `taut advise --json` prints. */
export const adviceDocument = (
  { target, requests, seconds, lost }: MeasureDocument,
  advice: readonly AdviceByHand[],
) => ({
  schema: 1,
  target,
  requests,
  seconds,
  lost,
  requests_needed: REQUESTS_TO_ADVISE,
  gains: GAIN_BASIS,
  advice: advice.map(({ gain, shell, ...each }) => ({
    ...each,
    gain: gain && { ...gain, p50: round(gain.p50), p99: round(gain.p99) },
    commands: commandsOf(each),
    shell_commands: shell,
  })),
})

/** The advice for people, the most promising first, and what was lost, ending in a line break. */
export const formatAdvice = (
  { requests, lost }: MeasureDocument,
  advice: readonly AdviceByHand[],
  { columns, color }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const style = createStyle(color)
  const end = formatLost(lost, width, style)
  const answer = (text: string): string => `${[...wrap(text, width), ...end].join('\n')}\n`
  if (requests < REQUESTS_TO_ADVISE)
    return answer(
      `${formatCount(requests)} requests are too few to advise from, it takes ${formatCount(REQUESTS_TO_ADVISE)} (try: --for 1m, or more traffic).`,
    )
  if (advice.length === 0)
    return answer('Nothing to recommend: no rule found anything in the way of the requests.')
  const sections = advice.map((each, index) => formatOne(each, index + 1, width, style))
  const gains = advice.some(({ gain }) => gain !== null)
    ? wrap(`Gains are ${GAIN_BASIS} (docs/advise.md). What is true, taut tune finds out.`, width)
    : []
  return `${[...sections, [...gains, ...end]].map(lines => lines.join('\n')).join('\n\n')}\n`
}

const formatOne = (advice: AdviceByHand, number: number, width: number, style: Style): string[] => {
  const { finding, evidence, gain, cost, expense, risk, shell, obstacle } = advice
  const indent = (text: string): string[] => wrap(text, width - 3).map(line => `   ${line}`)
  // A command is one line, however long, so that it can be copied.
  const byHand =
    shell.length === 0 ? [] : ['   the same by hand:', ...shell.map(line => `     ${printable(line)}`)]
  return [
    ...wrap(`${number}. ${printable(finding)}`, width).map(line => style.bold(line)),
    ...evidence.flatMap(line => indent(`- ${printable(line)}`)),
    ...(gain === null
      ? []
      : indent(`at best: p99 ${percent(gain.p99)} less, p50 ${percent(gain.p50)} less, ${gain.how}`)),
    ...indent(`cost: ${cost}${expense === 'none' ? '' : ` (${expense})`}; risk: ${risk}`),
    ...commandsOf(advice).map(line => `   ${style.cyan(line)}`),
    ...(obstacle === null ? [] : indent(`not here: ${printable(obstacle)}`)),
    ...byHand,
  ]
}
