import { join } from 'node:path'
import type { MeasureDocument } from '../../../src/latency/document.js'
import { rootPath } from './fixtures.js'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { type Ending, type ProcessOptions, type Running, startProcess } from './processes.js'
import { waitForFile } from './wait.js'

/** The program under test; the first argument of Node. */
export const TAUT = rootPath('dist/src/cli/main.js')

/** Runs taut to its end. */
export const runTaut = async (
  t: Context,
  args: readonly (string | number)[],
  options?: ProcessOptions,
): Promise<Ending> => {
  const running = await startProcess(t, process.execPath, [TAUT, ...args], options)
  return running.ended
}

/** A measurement whose probes are attached; `stop` interrupts it and gives its document. */
export type Measurement = Running & { stop: () => Promise<MeasureDocument> }

/** Starts `taut measure` for as long as the test wants, and waits until its probes are attached. */
export const startMeasuring = (t: Context, ...target: (string | number)[]): Promise<Measurement> =>
  startMeasuringBy(t, [], target)

/** The same by a program that becomes taut, with its own arguments. */
export const startMeasuringBy = async (
  t: Context,
  by: readonly string[],
  target: readonly (string | number)[],
): Promise<Measurement> => {
  const readyFile = join(await createFolder(t), 'ready')
  const options = ['--json', '--for', '24h', '--ready-file', readyFile]
  const [program = '', ...before] = [...by, process.execPath]
  const running = await startProcess(t, program, [...before, TAUT, 'measure', ...target, ...options])
  await waitForFile(readyFile, running)
  const stop = async (): Promise<MeasureDocument> => {
    running.child.kill('SIGINT')
    const { code, stdout, stderr } = await running.ended
    t.is(stderr, '')
    t.is(code, 130)
    return JSON.parse(stdout)
  }
  return { ...running, stop }
}
