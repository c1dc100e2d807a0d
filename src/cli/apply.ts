import { createInterface } from 'node:readline/promises'
import { type Command, InvalidArgumentError } from 'commander'
import { readJournal } from '../journal/journal.js'
import { KNOBS } from '../knobs/all.js'
import { ApplyError, applyPlans, type Plan } from '../knobs/apply.js'
import { isSelectedBy } from '../knobs/knob.js'
import { KNOB_NAMES, type KnobName } from '../knobs/names.js'
import { describePlace, readPlace } from '../knobs/places/place.js'
import { forgetEnded, undo } from '../knobs/undo.js'
import type { Profile } from '../profiles/profile.js'
import { explainUnmet } from '../profiles/when.js'
import { wrap } from '../text/width.js'
import {
  type ChangeDocument,
  changeDocument,
  formatChanges,
  planDocuments,
  printChanges,
} from './change-report.js'
import { EXIT, Failure } from './failure.js'
import { listenForInterrupt } from './interrupt.js'
import { type Asked, planAll } from './planning.js'
import { findFacts, findProfile } from './profiles.js'
import type { Selectors } from './selection.js'
import { openState, requireOwnDevices, requireRoot, type State } from './state.js'
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
    .option('--cpus <list>', 'the CPUs that a cpu.* knob is for, as 0-2, or not-irq; all by default')
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
  if (!options.dryRun) requireRoot('change settings')
  if (name === undefined) return applyAsked(askAlone(options), null, options)
  const profile = findProfile(name)
  const unmet = explainUnmet(profile.when, findFacts())
  if (unmet.length > 0)
    throw new Failure(
      `the profile ${profile.name} is not for this machine: ${unmet.join('; ')}`,
      EXIT.unsupported,
    )
  await applyAsked(askAll(profile, options), profile.name, options)
}

const askAlone = ({ set = [], nic, cpus, port }: ApplyOptions): Asked[] =>
  set.map(({ knob, value }) => ({
    knob: KNOBS[knob],
    value,
    why: 'asked for by --set',
    selectors: { nic, cpus, port },
  }))

/** What the command line says goes before the profile's selectors. */
const askAll = ({ settings }: Profile, options: ApplyOptions): Asked[] =>
  settings.map(({ knob, value, why, nic, cpus, service }) => ({
    knob: KNOBS[knob],
    value: String(value),
    why,
    selectors: {
      nic: options.nic ?? nic,
      cpus: options.cpus ?? cpus?.toString(),
      port: options.port,
      service: service?.toString(),
    },
  }))

const SELECTORS = [
  ['nic', 'nic'],
  ['cpus', 'cpus'],
  ['port', 'service'],
] as const

/** Throws a Failure for an option that no knob asks for: what was meant by it would not be done. */
const requireSelected = (asked: readonly Asked[], options: Selectors): void => {
  for (const [option, name] of SELECTORS) {
    if (options[option] === undefined) continue
    if (asked.some(({ knob, value, selectors }) => isSelectedBy(knob, name, [value, selectors.cpus])))
      continue
    const knobs = [...new Set(asked.map(({ knob }) => knob.name))].join(', ')
    throw new Failure(`--${option} says nothing to ${knobs} (try without it; docs/knobs.md)`, EXIT.usage)
  }
}

/** Plans, shows, asks, does and verifies. */
const applyAsked = async (
  asked: readonly Asked[],
  profile: string | null,
  options: ApplyOptions,
): Promise<void> => {
  const { dryRun, json } = options
  requireSelected(asked, options)
  const isSkipping = profile !== null
  if (dryRun) {
    requireOwnDevices()
    return printPlan(await describePlans(await planAll(asked, isSkipping), profile), options)
  }
  using state = openState()
  await recover(state)
  const plans = await planAll(asked, isSkipping)
  const planned = await describePlans(plans, profile)
  if (planned.length === 0) return printChanges([], json === true, NOTHING)
  if (!json) process.stdout.write(formatChanges(planned, describeTerminal(process.stdout)))
  await requireConsent(options)
  const interrupt = listenForInterrupt()
  try {
    const applied = await applyPlans({ ...state, signal: interrupt.signal }, plans, profile)
    const changes = await Promise.all(
      applied.map(async ({ entry, evidence }) =>
        changeDocument(entry, { now: await readPlace(entry.place), note: evidence }),
      ),
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

const printPlan = (planned: readonly ChangeDocument[], { json }: ApplyOptions): void => {
  printChanges(planned, json === true, NOTHING)
  if (json || planned.length === 0) return
  process.stdout.write(`\nThe same by hand:\n${planned.map(({ command }) => `  ${command}\n`).join('')}`)
}

const NOTHING = 'Nothing to change: all of it is so already.'

/** Gives what the plans would change, and what would follow from them. */
const describePlans = async (plans: readonly Plan[], profile: string | null): Promise<ChangeDocument[]> =>
  (await Promise.all(plans.map(plan => planDocuments(plan, profile)))).flat()

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
