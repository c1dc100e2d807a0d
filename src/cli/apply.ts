import { createInterface } from 'node:readline/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { readJournal } from '../journal/journal.js'
import { KNOBS } from '../knobs/all.js'
import { ApplyError, applyPlans, type Plan, planWish, type Wish } from '../knobs/apply.js'
import { InvalidValue, Unavailable } from '../knobs/knob.js'
import { KNOB_NAMES, type KnobName } from '../knobs/names.js'
import { describePlace } from '../knobs/places/place.js'
import { forgetEnded, undo } from '../knobs/undo.js'
import type { Profile } from '../profiles/profile.js'
import { explainUnmet } from '../profiles/when.js'
import { wrap } from '../text/width.js'
import { changeDocument, formatChanges, planDocuments } from './change-report.js'
import { EXIT, Failure } from './failure.js'
import { listenForInterrupt } from './interrupt.js'
import { findFacts, findProfile } from './profiles.js'
import { type Selectors, selectFor } from './selection.js'
import { describeCommand } from './shell-commands.js'
import { openState, requireRoot, type State } from './state.js'
import { describeTerminal, terminalColumns } from './terminal.js'

type Setting = { knob: KnobName; value: string }
type ApplyOptions = Selectors & { set?: Setting[]; dryRun?: boolean; yes?: boolean; json?: boolean }

/** Adds `taut apply`: sets knobs, looks for their effect, and keeps the way back. */
export const addApply = (program: Command): void => {
  program
    .command('apply')
    .description('change settings, look for their effect, keep the way back')
    .option('--set <knob=value>', `set a knob; may be repeated. Knobs: ${KNOB_NAMES.join(', ')}`, addSetting)
    .argument('[profile]', 'the name of a profile, or the path of its file; see taut profiles')
    .option('--nic <name>', 'the network device: a name, all, or busiest (the default)')
    .option('--cpus <list>', 'the CPUs that a cpu.* knob is for, as 0-2; all by default')
    .option('--port <number>', 'the service that listens on this port, or busiest')
    .option('--dry-run', 'only print what would be done, and the commands to do it by hand')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON document')
    .action(apply)
}

const addSetting = (text: string, settings: Setting[] = []): Setting[] => {
  const [name = '', ...value] = text.split('=')
  const knob = KNOB_NAMES.find(known => known === name)
  if (knob === undefined) throw new InvalidArgumentError(`There is no knob ${name}; see taut apply --help.`)
  if (value.join('=') === '') throw new InvalidArgumentError(`It takes ${knob}=VALUE: ${KNOBS[knob].values}.`)
  return [...settings, { knob, value: value.join('=') }]
}

const apply = async (name: string | undefined, options: ApplyOptions): Promise<void> => {
  if ((name === undefined) === (options.set === undefined))
    throw new Failure(
      'it takes a profile or --set (try: taut apply low-latency, or --set net.rps=all)',
      EXIT.usage,
    )
  requireRoot('change settings')
  if (name === undefined) return applyWishes(await wishAlone(options), null, options)
  const profile = findProfile(name)
  const unmet = explainUnmet(profile.when, findFacts())
  if (unmet.length > 0)
    throw new Failure(
      `the profile ${profile.name} is not for this machine: ${unmet.join('; ')}`,
      EXIT.unsupported,
    )
  await applyWishes(await wishAll(profile, options), profile.name, options)
}

const wishAlone = (options: ApplyOptions): Promise<Wish[]> =>
  Promise.all(
    (options.set ?? []).map(async ({ knob, value }) => ({
      knob: KNOBS[knob],
      value,
      why: 'asked for by --set',
      selection: await selectFor(KNOBS[knob], options),
    })),
  )

/** What the command line says goes before the profile's selectors. */
const wishAll = (profile: Profile, options: ApplyOptions): Promise<Wish[]> =>
  Promise.all(
    profile.settings.map(async ({ knob, value, why, nic, cpus, service }) => ({
      knob: KNOBS[knob],
      value: String(value),
      why,
      selection: await selectFor(KNOBS[knob], {
        nic: options.nic ?? nic,
        cpus: options.cpus ?? cpus,
        port: options.port ?? service?.toString(),
      }),
    })),
  )

/** Plans, shows, asks, does and verifies. */
const applyWishes = async (
  wishes: readonly Wish[],
  profile: string | null,
  options: ApplyOptions,
): Promise<void> => {
  const { dryRun, json } = options
  const isSkipping = profile !== null
  if (dryRun) return printPlan(await planAll(wishes, isSkipping), profile, options)
  using state = openState()
  await recover(state)
  const plans = await planAll(wishes, isSkipping)
  const planned = plans.flatMap(plan => planDocuments(plan, profile))
  if (planned.length === 0) {
    process.stdout.write(json ? '[]\n' : 'Nothing to change: all of it is so already.\n')
    return
  }
  if (!json) process.stdout.write(formatChanges(planned, describeTerminal(process.stdout)))
  await requireConsent(options)
  const interrupt = listenForInterrupt()
  try {
    const applied = await applyPlans({ ...state, signal: interrupt.signal }, plans, profile)
    const changes = applied.map(({ entry, evidence }) =>
      changeDocument(entry, { now: entry.to, note: evidence }),
    )
    const id = applied[0]?.entry.id
    process.stdout.write(
      json
        ? `${JSON.stringify(changes)}\n`
        : `\n${formatChanges(changes, describeTerminal(process.stdout))}\n`,
    )
    if (!json && id !== undefined) process.stdout.write(`To go back: taut revert ${id}\n`)
  } catch (error) {
    if (interrupt.signal.aborted && error instanceof ApplyError && error.left.length === 0) {
      process.stderr.write('taut: interrupted; everything is as it was\n')
      process.exitCode = EXIT.interrupted
    } else throw error instanceof ApplyError ? describeFailure(error) : error
  }
}

/** Of a profile, what this machine lacks is left out, and said. */
const planAll = async (wishes: readonly Wish[], isSkipping: boolean): Promise<Plan[]> => {
  const plans: Plan[] = []
  for (const wish of wishes) {
    try {
      plans.push(await planWish(wish))
    } catch (error) {
      const { name } = wish.knob
      if (error instanceof InvalidValue)
        throw new Failure(
          `cannot set ${name} to ${wish.value}: ${error.message}`,
          isSkipping ? EXIT.unsupported : EXIT.usage,
        )
      if (!(error instanceof Unavailable)) throw error
      if (!isSkipping) throw new Failure(`cannot set ${name}: ${error.message}`, EXIT.unsupported)
      const text = `taut: leaving out ${name}: ${error.message}`
      process.stderr.write(`${wrap(text, terminalColumns(process.stderr)).join('\n')}\n`)
    }
  }
  if (plans.length === 0)
    throw new Failure('this machine has nothing of what the profile sets', EXIT.unsupported)
  return plans
}

const printPlan = (plans: readonly Plan[], profile: string | null, { json }: ApplyOptions): void => {
  const planned = plans.flatMap(plan => planDocuments(plan, profile))
  if (json) {
    process.stdout.write(`${JSON.stringify(planned)}\n`)
    return
  }
  const commands = plans.flatMap(({ changes }) => changes.map(({ place, to }) => describeCommand(place, to)))
  const text =
    planned.length === 0
      ? 'Nothing to change: all of it is so already.\n'
      : formatChanges(planned, describeTerminal(process.stdout))
  process.stdout.write(text)
  if (commands.length > 0)
    process.stdout.write(`\nThe same by hand:\n${commands.map(line => `  ${line}\n`).join('')}`)
}

const requireConsent = async ({ yes, json }: ApplyOptions): Promise<void> => {
  if (yes) return
  if (json || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new Failure('nothing was changed: there is nobody to ask (try --yes)', EXIT.usage)
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await terminal.question('\nDo it? [y/N] ').finally(() => terminal.close())
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure('nothing was changed')
}

/** What a run that was killed left behind, guard and all, is put back before anything is set anew; what is over is forgotten. */
export const recover = async ({ folder }: State): Promise<void> => {
  forgetEnded(folder)
  if (readJournal(folder).every(({ kept }) => kept)) return
  const { undone } = await undo(folder, ({ kept }) => !kept)
  for (const { entry, left } of undone) {
    const place = `${entry.knob} (${describePlace(entry.place)})`
    const text = left === null ? `put back ${place}, which a killed taut had left` : `left ${place}: ${left}`
    process.stderr.write(`${wrap(`taut: ${text}`, terminalColumns(process.stderr)).join('\n')}\n`)
  }
}

const describeFailure = ({ message, left, cause }: ApplyError): Failure => {
  const rest =
    left.length === 0
      ? 'everything is as it was'
      : `not put back: ${left.map(({ entry, left }) => `${describePlace(entry.place)} (${left})`).join(', ')}`
  return new Failure(`${message}; ${rest}`, EXIT.failed, { cause })
}
