import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Advice, advise, REQUESTS_TO_ADVISE } from '../advise/all.js'
import { withServingNic } from '../advise/evidence.js'
import { adviseFor } from '../advise/for-goal.js'
import { watchMachine } from '../advise/gather.js'
import { KNOB_NAMES, type KnobName } from '../knobs/names.js'
import { describePlace } from '../knobs/places/place.js'
import type { Lost } from '../latency/counts.js'
import { type MeasureDocument, TOTAL_FIELDS } from '../latency/document.js'
import type { KernelTypes } from '../probes/kernel-types.js'
import { Session } from '../probes/session.js'
import { Tracer } from '../probes/tracer.js'
import { createRandom } from '../statistics/random.js'
import type { Target } from '../system/target.js'
import { printable } from '../text/printable.js'
import { ALLOWANCES, type Allowances } from '../tune/judge.js'
import {
  chooseBasis,
  type EnergyBasis,
  findMeters,
  type Meters,
  nameStandIn,
  watchRefresh,
} from '../tune/meters.js'
import { beyondOf, chooseSlice, describeNeeded, lookFor, SETTLE_MS } from '../tune/pace.js'
import { openRetransmits } from '../tune/retransmits.js'
import { overlaps, TrialSettings } from '../tune/settings.js'
import { GOALS, type Goal, type Limit } from '../tune/slice.js'
import { measureSlice } from '../tune/traffic.js'
import { type Step, type TuneResult, type TuneOptions as TuningOptions, tune } from '../tune/tune.js'
import { recover } from './apply.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { chooseTarget } from './choose-target.js'
import { parseDuration } from './duration.js'
import { EXIT, Failure } from './failure.js'
import { listenForInterrupt, sleep } from './interrupt.js'
import { refreshUntil } from './measure.js'
import { readPercent } from './percent.js'
import { requirePermission } from './permission.js'
import { isDone, planAdvice } from './plan-advice.js'
import { isBeforeStages, type LeftOut, type Proposal } from './proposal.js'
import { openState, requireRoot, type State } from './state.js'
import { addTargetOptions, pickTarget, type TargetArguments } from './target-options.js'
import { describeTerminal } from './terminal.js'
import { type Load, startLoad } from './tune-load.js'
import { formatPlan, formatTune, type Outcome, planDocument, tuneDocument } from './tune-report.js'

type TuneOptions = TargetArguments &
  BtfArguments & {
    goal: Goal
    for: number
    only?: KnobName[]
    exclude?: KnobName[]
    allow?: Partial<Allowances>
    target?: Limit
    load?: string
    dryRun?: boolean
    untilRevert?: boolean
    json?: boolean
  }

const DEFAULT_S = 180
const HOUR_MS = 3_600_000
/** With the pair that ends after it, there is a word again. */
const SILENCE_MS = 15_000

/** Adds `taut tune`: tries what is advised, keeps what is proven, and puts the rest back. */
export const addTune = (program: Command): void => {
  addBtfOption(addTargetOptions(program.command('tune')))
    .description('measure, try what would help, keep what is proven, undo the rest')
    .addOption(new Option('--goal <what>', 'what is to get better').choices([...GOALS]).default('p99'))
    .addOption(
      new Option('--for <duration>', 'how long it may take: 90s, 3m; without a unit, seconds')
        .argParser(parseDuration)
        .default(DEFAULT_S, '3m'),
    )
    .option('--target <limit>', "stop when this is reached: 'p99<1ms'; p50, p99, p99.9, mean", parseTarget)
    .option('--load <command>', 'a command of sh that makes the load, for as long as tuning takes')
    .option('--only <knobs>', 'only these knobs, with commas between', parseKnobs)
    .option('--exclude <knobs>', 'not these knobs', parseKnobs)
    .option(
      '--allow <guard=+percent>',
      'let a guard get worse: cpu=+20%, energy, p50, p99, mean, throughput',
      parseAllowance,
    )
    .option('--dry-run', 'look, and only print what would be tried')
    .option('--until-revert', 'keep it until this command is ended, and put it back then')
    .option('--json', 'print one JSON document')
    .action(tuneService)
}

const parseKnobs = (text: string, before: KnobName[] = []): KnobName[] => [
  ...before,
  ...text.split(',').map(name => {
    const knob = KNOB_NAMES.find(known => known === name)
    if (knob === undefined)
      throw new InvalidArgumentError(`There is no knob ${name}; there are ${KNOB_NAMES.join(', ')}.`)
    return knob
  }),
]

const UNITS = { us: 1e3, ms: 1e6, s: 1e9 } as const

const parseTarget = (text: string): Limit => {
  const [, quantity, digits = '', unit] = /^(p50|p99|p99\.9|mean)<(\d+(?:\.\d+)?)(us|ms|s)$/.exec(text) ?? []
  const ns = Number(digits) * UNITS[unit as keyof typeof UNITS]
  if (quantity === undefined || !(ns > 0))
    throw new InvalidArgumentError(
      "It takes a limit such as 'p99<1ms' (in quotes, for the shell), of p50, p99, p99.9 or mean, in us, ms or s.",
    )
  return { quantity: quantity as Limit['quantity'], ns }
}

const parseAllowance = (text: string, before: Partial<Allowances> = {}): Partial<Allowances> => {
  const [, guard = '', percent = ''] = /^(\w+)=\+?(.*)$/.exec(text) ?? []
  const share = readPercent(percent)
  if (!Object.hasOwn(ALLOWANCES, guard) || share === null)
    throw new InvalidArgumentError(
      `It takes one of ${Object.keys(ALLOWANCES).join(', ')} and a percentage, as cpu=+20%.`,
    )
  return { ...before, [guard]: share }
}

const tuneService = async (options: TuneOptions): Promise<void> => {
  if (!options.dryRun) requireRoot('change settings')
  requirePermission()
  const { signal } = listenForInterrupt()
  const begin = performance.now()
  const types = pickKernelTypes(options)
  // What an earlier run has left is put back first: what is there now is what the plan starts from.
  using state = options.dryRun ? null : openState()
  if (state !== null) await recover(state)
  using load = options.load === undefined ? null : startLoad(options.load, say)
  const target = await chooseTarget(pickTarget(options), types)
  const meters = findMeters()
  const looked = await look(target, types, { options, signal, load, meters })
  if (signal.aborted) return endInterrupted()
  const { document, advice } = looked
  const { proposals, leftOut } = await propose(advice, target, options)
  if (state === null) {
    process.stdout.write(
      options.json
        ? `${JSON.stringify(planDocument(options.goal, document, proposals, leftOut, advice))}\n`
        : formatPlan(proposals, leftOut, advice, describeTerminal(process.stdout)),
    )
    return
  }
  const isMet = options.target !== undefined && isReached(document, options.target)
  if (isMet || proposals.length === 0) {
    const result = { trials: [], kept: [], whole: null, before: null, after: null, isReached: false }
    const energy = nameEnergy(chooseBasis(meters.energy, looked.refreshMs, Number.POSITIVE_INFINITY))
    const { lost } = document
    const limit = options.target ?? null
    print(options, { document, advice, leftOut, result, entries: [], limit, isMet, lost, energy })
    return
  }
  await tryAll({ ...looked, state, target, types, load, meters, proposals, leftOut, options, signal, begin })
}

const isReached = ({ total }: MeasureDocument, { quantity, ns }: Limit): boolean => {
  const us = total[TOTAL_FIELDS[quantity]]
  return us !== null && us * 1000 < ns
}

/** What was seen, what the rules say to that, and how often the meter of energy told something new. */
type Look = { document: MeasureDocument; advice: Advice[]; refreshMs: number }

/** Measures in full depth for a while, and asks the rules. */
const look = async (
  target: Target,
  types: KernelTypes,
  {
    options: { for: seconds, goal },
    signal,
    load,
    meters: { energy },
  }: { options: TuneOptions; signal: AbortSignal; load: Load | null; meters: Meters },
): Promise<Look> => {
  const time = lookFor(seconds)
  say(
    `looking at ${target.service.comm ?? 'the service on port'} ${target.service.port} for ${time.toFixed(0)} s`,
  )
  using session = await Session.start(target, types)
  const watch = watchMachine(target.service)
  const endRefresh = energy === null ? null : watchRefresh(energy, () => performance.now())
  await refreshUntil(session, time * 1000, signal)
  const refreshMs = endRefresh?.() ?? Number.POSITIVE_INFINITY
  const document = await session.stop()
  const machine = await watch()
  if (!signal.aborted) load?.check()
  if (!signal.aborted && document.requests < REQUESTS_TO_ADVISE)
    throw new Failure(
      `${document.requests} requests in ${document.seconds} s are too few to tune by; nothing was changed (${describeNeeded(goal, 1, REQUESTS_TO_ADVISE / time)})`,
    )
  const evidence = withServingNic({ document, machine })
  const { nic } = evidence.machine
  return { document, advice: adviseFor(goal, advise(evidence), nic?.name ?? null), refreshMs }
}

/** What of the advice can be done here and is not done yet; and what of it can't, or is not to be. */
const propose = async (
  advice: readonly Advice[],
  target: Target,
  { only, exclude = [] }: TuneOptions,
): Promise<{ proposals: Proposal[]; leftOut: LeftOut[] }> => {
  const proposals: Proposal[] = []
  const leftOut: LeftOut[] = []
  for (const each of advice) {
    const plan = await planAdvice(each, target.service)
    if (isDone(plan)) continue
    const { plans, obstacle } = plan
    const names = each.settings.map(({ knob }) => knob)
    const isExcluded = names.some(name => exclude.includes(name))
    if (isExcluded || names.some(name => only?.includes(name) === false)) {
      if (obstacle === null) leftOut.push({ advice: each, by: isExcluded ? '--exclude' : '--only' })
    } else if (obstacle !== null) leftOut.push({ advice: each, by: 'machine', why: obstacle })
    else proposals.push({ advice: each, plans })
  }
  return { proposals, leftOut }
}

type Run = Look & {
  state: State
  target: Target
  types: KernelTypes
  load: Load | null
  meters: Meters
  proposals: Proposal[]
  leftOut: LeftOut[]
  options: TuneOptions
  signal: AbortSignal
  begin: number
}

const tryAll = async (run: Run): Promise<void> => {
  const { state, target, types, options, signal } = run
  using tracer = Tracer.start(target, types)
  // Totals are all that trials go by where none changes what acknowledgements have to tell: the less is measured, the less it disturbs.
  if (!run.proposals.some(isBeforeStages)) tracer.setDepth(0)
  const sliceMs = requireSlice(run.document, options, run.proposals.length)
  const basis = chooseBasis(run.meters.energy, run.refreshMs, sliceMs)
  const lostBefore = tracer.readLost()
  const settings = await TrialSettings.open(state.folder, state.lock)
  let failure: unknown = null
  let outcome: Outcome | null = null
  try {
    const meters = { ...run.meters, energy: basis.source }
    const result = await runTrials(run, { tracer, settings, meters, sliceMs })
    signal.throwIfAborted()
    const entries = options.untilRevert ? [] : await settings.keep()
    const { document, advice, leftOut } = run
    const lost = addLost(document.lost, lostBefore, tracer.readLost())
    const [limit, energy] = [options.target ?? null, nameEnergy(basis)]
    outcome = { document, advice, leftOut, result, entries, limit, isMet: false, lost, energy }
    if (options.untilRevert) {
      print(options, outcome)
      // What is to stay for hours costs nothing meanwhile.
      tracer.close()
      run.load?.[Symbol.dispose]()
      if (result.kept.length > 0) await waitForEnd(signal)
    }
  } catch (error) {
    if (!signal.aborted) failure = error
  }
  const left = await settings.close()
  if (left.length > 0) {
    const places = left.map(({ entry, left: why }) => `${describePlace(entry.place)}: ${why}`).join('; ')
    throw new Failure(`NOT put back: ${places} (try: taut status, taut revert --all)`, EXIT.failed, {
      cause: failure,
    })
  }
  if (failure !== null) throw failure
  // What is kept before the signal came stays, and is told.
  if (outcome !== null && !options.untilRevert) return print(options, outcome)
  if (signal.aborted) endInterrupted()
}

/** What was lost in the first look, and between two readings of the trials. */
const addLost = (look: Lost, before: Lost, after: Lost): Lost => {
  const reasons = Object.keys(look) as (keyof Lost)[]
  return Object.fromEntries(
    reasons.map(reason => [reason, look[reason] + after[reason] - before[reason]]),
  ) as Lost
}

const nameEnergy = ({ source, why }: EnergyBasis): Outcome['energy'] => ({
  by: source?.name ?? nameStandIn(),
  isStandIn: source === null,
  why,
})

type Bench = { tracer: Tracer; settings: TrialSettings; meters: Meters; sliceMs: number }

const runTrials = async (
  { target, proposals, options, signal, begin }: Run,
  { tracer, settings, meters, sliceMs }: Bench,
): Promise<TuneResult<Proposal>> => {
  const candidates = proposals.map(proposal => ({ ...proposal, setting: settings.prepare(proposal.plans) }))
  const deadline = begin + options.for * 1000
  using retransmits = openRetransmits(target.service.pid ?? process.pid)
  return await tune(
    {
      set: async ({ setting }, isOn) => {
        signal.throwIfAborted()
        if (setting.isOn === isOn) return
        await settings.set(setting, isOn)
        await setTimeout(SETTLE_MS, undefined, { signal })
      },
      verify: async ({ setting }) => {
        signal.throwIfAborted()
        const missing = await settings.verify(setting, signal)
        signal.throwIfAborted()
        if (missing.length > 0) return missing.join('; ')
        await setTimeout(SETTLE_MS, undefined, { signal })
        return null
      },
      check: ({ setting }) => settings.check(setting),
      drop: ({ setting }) => settings.drop(setting),
      abandon: ({ setting }) => settings.abandon(setting),
      overlap: (a, b) => overlaps(a.setting, b.setting),
      isBeforeStages,
      measure: isEnough => measureSlice(tracer, meters, retransmits, sliceMs, signal, isEnough),
    },
    candidates,
    {
      goal: options.goal,
      allow: { ...ALLOWANCES, ...options.allow },
      random: createRandom(Date.now() | 0),
      now: () => performance.now(),
      deadline,
      target: options.target,
      ...tellProgress(deadline),
    },
  )
}

/** Tells each step when it begins, and how far it is when nothing was told for a while; with the time left. */
const tellProgress = (deadline: number): Pick<TuningOptions<Proposal>, 'onStep' | 'onPair'> => {
  let told = performance.now()
  const tell = (text: string): void => {
    told = performance.now()
    say(`${text} (${describeLeft((deadline - told) / 1000)})`)
  }
  return {
    onStep: step => tell(describeStep(step)),
    onPair: pairs => {
      if (performance.now() - told >= SILENCE_MS) tell(`${pairs} pairs of slices so far`)
    },
  }
}

/** On a machine that is busy in its kernel, looking may take longer than it was given: probes are slow to attach there. */
const describeLeft = (seconds: number): string =>
  seconds < 0 ? 'no time left' : `${seconds.toFixed(0)} s left`

const STEPS: Readonly<Record<Step<Proposal>['is'], string>> = {
  trial: 'trial',
  'leaving-out': 'is it still needed beside the others?',
  'giving-back': 'is the target reached without it?',
  confirming: 'all that is kept, compared with nothing',
}

const describeStep = ({ is, candidate, number, of }: Step<Proposal>): string =>
  candidate === null ? STEPS[is] : `${STEPS[is]} ${number} of ${of}: ${candidate.advice.finding}`

const waitForEnd = async (signal: AbortSignal): Promise<void> => {
  say('it stays so until this command is ended (Ctrl-C)')
  while (!signal.aborted) await sleep(HOUR_MS, signal)
}

/** Gives the length of a slice; a Failure tells what it takes where there are too few requests for one. */
const requireSlice = (
  { requests, seconds }: MeasureDocument,
  { goal, for: time }: TuneOptions,
  candidates: number,
): number => {
  const rate = requests / seconds
  const ms = chooseSlice(rate, { goal, seconds: time, candidates })
  if (ms !== null) return ms
  throw new Failure(
    `${rate.toFixed(0)} requests a second are too few to tell settings apart by their slowest ${beyondOf(goal) * 100} %; nothing was changed (${describeNeeded(goal, candidates)})`,
  )
}

const print = ({ goal, json }: TuneOptions, outcome: Outcome): void => {
  process.stdout.write(
    json
      ? `${JSON.stringify(tuneDocument(goal, outcome))}\n`
      : formatTune(goal, outcome, describeTerminal(process.stdout)),
  )
}

const endInterrupted = (): void => {
  say('interrupted; what was tried is put back')
  process.exitCode = EXIT.interrupted
}

const say = (text: string): void => {
  process.stderr.write(`taut: ${printable(text)}\n`)
}
