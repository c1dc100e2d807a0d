import type { Command } from 'commander'
import { type Advice, advise, commandsOf, REQUESTS_TO_ADVISE } from '../advise/all.js'
import { watchMachine } from '../advise/gather.js'
import { percent } from '../advise/rule.js'
import { Session } from '../probes/session.js'
import { printable } from '../text/printable.js'
import { createStyle } from '../text/style.js'
import { formatCount } from '../text/units.js'
import { reportWidth, wrap } from '../text/width.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { chooseTarget } from './choose-target.js'
import { createDurationOption } from './duration.js'
import { EXIT } from './failure.js'
import { listenForInterrupt } from './interrupt.js'
import { refreshUntil } from './measure.js'
import { requirePermission } from './permission.js'
import type { ReportOptions } from './report.js'
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
  const advice = document.requests < REQUESTS_TO_ADVISE ? [] : advise({ document, machine: await watch() })
  const { requests, seconds } = document
  if (options.json) {
    const listed = advice.map(each => ({ ...each, commands: commandsOf(each) }))
    process.stdout.write(
      `${JSON.stringify({ schema: 1, target: document.target, requests, seconds, advice: listed })}\n`,
    )
  } else {
    process.stdout.write(formatAdvice(requests, advice, describeTerminal(process.stdout)))
  }
  if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted
}

/** The advice for people, the most promising first, ending in a line break. */
export const formatAdvice = (
  requests: number,
  advice: readonly Advice[],
  { columns, color }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const style = createStyle(color)
  if (requests < REQUESTS_TO_ADVISE) {
    const text = `${formatCount(requests)} requests are too few to advise from, it takes ${formatCount(REQUESTS_TO_ADVISE)} (try: --for 1m, or more traffic).`
    return `${wrap(text, width).join('\n')}\n`
  }
  if (advice.length === 0)
    return `${wrap('Nothing to recommend: no rule found anything in the way of the requests.', width).join('\n')}\n`
  return advice
    .map((each, index) => {
      const indent = (text: string): string[] => wrap(text, width - 3).map(line => `   ${line}`)
      const gain =
        each.gain === null
          ? []
          : indent(
              `at best: p99 ${percent(each.gain.p99)} less, p50 ${percent(each.gain.p50)} less, if its stages shrank to what is usual`,
            )
      return [
        ...wrap(`${index + 1}. ${printable(each.finding)}`, width).map(line => style.bold(line)),
        ...each.evidence.flatMap(line => indent(`- ${printable(line)}`)),
        ...gain,
        ...indent(`cost: ${each.cost}; risk: ${each.risk}`),
        ...commandsOf(each).map(line => `   ${style.cyan(line)}`),
        '',
      ].join('\n')
    })
    .join('\n')
}
