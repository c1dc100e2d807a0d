import type { Command } from 'commander'
import { startDemo } from '../demo/demo.js'
import type { KernelTypes } from '../probes/kernel-types.js'
import { Session } from '../probes/session.js'
import { addBtfOption, type BtfArguments, pickKernelTypes } from './btf-option.js'
import { chooseTarget } from './choose-target.js'
import { createDurationOption } from './duration.js'
import { EXIT } from './failure.js'
import { listenForInterrupt } from './interrupt.js'
import { showLive } from './live.js'
import { printMeasurement, refreshUntil, tellRefused } from './measure.js'
import { requirePermission } from './permission.js'

type DemoOptions = BtfArguments & { for: number; json?: boolean }

const LOAD = { connections: 8, rate: 2000 }

/** Adds `taut demo`: a service and its load in processes of their own, to look at at once. */
export const addDemo = (program: Command): void => {
  addBtfOption(program.command('demo'))
    .description('an embedded service under load, to look at at once')
    .addOption(createDurationOption('how long, where there is no terminal for the live view'))
    .option('--json', 'print one JSON document instead of the live view')
    .action(demo)
}

const demo = async (options: DemoOptions): Promise<void> => {
  requirePermission()
  const types = pickKernelTypes(options)
  const running = await startDemo(LOAD)
  try {
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY
    if (isTerminal && !options.json) await showLive({ port: running.port }, types)
    else await summarize(running.port, options, types)
  } finally {
    await running.stop()
  }
}

const summarize = async (port: number, options: DemoOptions, types: KernelTypes): Promise<void> => {
  const interrupt = listenForInterrupt()
  process.stderr.write(
    `taut: a key-value service on port ${port} answers ${LOAD.rate} requests a second, measuring for ${options.for} s\n`,
  )
  using session = await Session.start(await chooseTarget({ port }, types), types)
  tellRefused(session)
  await refreshUntil(session, options.for * 1000, interrupt.signal)
  printMeasurement(await session.stop(), options)
  if (interrupt.signal.aborted) process.exitCode = EXIT.interrupted
}
