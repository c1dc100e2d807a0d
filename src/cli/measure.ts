import { renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { MeasureDocument } from '../latency/document.js'
import { Session } from '../probes/session.js'
import { readIdleNames } from '../system/idle.js'
import { printable } from '../text/printable.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { createBudgetOption } from './budget-option.js'
import { chooseTarget, findClientTarget } from './choose-target.js'
import { createDurationOption } from './duration.js'
import { EXIT, Failure } from './failure.js'
import { listenForInterrupt, sleep } from './interrupt.js'
import { requirePermission } from './permission.js'
import { formatReport } from './report.js'
import {
  addClientOption,
  addTargetOptions,
  type ClientArguments,
  pickClient,
  pickTarget,
  type TargetArguments,
} from './target-options.js'
import { describeTerminal } from './terminal.js'

type MeasureOptions = TargetArguments &
  ClientArguments &
  BtfArguments & {
    for: number
    budget?: number
    json?: boolean
    readyFile?: string
  }

const REFRESH_MS = 1000

/** Adds `taut measure`: measures a service for a while and prints where its requests spent their time. */
export const addMeasure = (program: Command): void => {
  addBtfOption(addClientOption(addTargetOptions(program.command('measure'))))
    .description('measure a service for a while, print the breakdown')
    .addOption(createDurationOption('how long'))
    .addOption(createBudgetOption())
    .option('--json', 'print one JSON document')
    .option('--ready-file <path>', 'write this file once the probes are attached')
    .action(measure)
}

const measure = async (options: MeasureOptions): Promise<void> => {
  requirePermission()
  const types = pickKernelTypes(options)
  const interrupt = listenForInterrupt()
  if (options.readyFile !== undefined) removeReadyFile(options.readyFile)
  const client = pickClient(options)
  const target =
    client === undefined ? await chooseTarget(pickTarget(options), types) : findClientTarget(client)
  using session = await Session.start(target, types, options.budget)
  tellRefused(session)
  if (options.readyFile !== undefined) writeReadyFile(options.readyFile)
  await refreshUntil(session, options.for * 1000, interrupt.signal)
  printMeasurement(await session.stop(), options)
  if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted
}

/** Says what the documents of a session will lack because the kernel refuses it. */
export const tellRefused = ({ refused }: Session): void => {
  if (refused !== null)
    process.stderr.write(`taut: there will be no overheads of the socket API: ${printable(refused)}\n`)
}

/** Waits for milliseconds or the signal; refreshes every second, twice at least. */
export const refreshUntil = async (session: Session, ms: number, signal: AbortSignal): Promise<void> => {
  const end = performance.now() + ms
  const step = Math.min(REFRESH_MS, ms / 2)
  for (let left = ms; left > 0 && !signal.aborted; left = end - performance.now()) {
    await sleep(Math.min(step, left), signal)
    if (end - performance.now() > step / 2) await session.refresh(signal)
  }
}

/** Who waits for the file must not find that of an earlier run. What can't be removed can't be written either. */
const removeReadyFile = (path: string): void => {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    throw describeUnwritable(error)
  }
}

/** Whoever waits for the file sees it whole; a link at its place is replaced and not followed. */
const writeReadyFile = (path: string): void => {
  const draft = `${path}.${process.pid}`
  try {
    writeFileSync(draft, `${process.pid}\n`, { flag: 'wx', mode: 0o600 })
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw describeUnwritable(error)
  }
}

const describeUnwritable = (error: unknown): Failure => {
  const reason = error instanceof Error ? error.message : String(error)
  return new Failure(`cannot write the ready file: ${reason} (try a path in a folder that exists)`)
}

/** Prints a measurement to stdout: as JSON in one line, or for people. */
export const printMeasurement = (document: MeasureDocument, { json }: { json?: boolean }): void => {
  const text = json
    ? `${JSON.stringify(document)}\n`
    : formatReport(document, { ...describeTerminal(process.stdout), idleNames: readIdleNames() })
  process.stdout.write(text)
}
