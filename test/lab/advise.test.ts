import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KVLOAD, rootPath } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import { listArguments } from '../kernel/support/load.js'
import { startProcess } from '../kernel/support/processes.js'
import { ADDRESS, createCard, ENDS, labTest, runGuest } from './support.js'

const run = promisify(execFile)

/** Requests a second: an emulated machine is slow. */
const RATE = 100
/** Longer than the machine may run. */
const SECONDS = 20 * 60

labTest(
  'names a slow governor, lazy coalescing and interrupts on the CPU of the service, each where it is there',
  async t => {
    const folder = await createFolder(t)
    await run('iasl', ['-p', join(folder, 'cpufreq'), rootPath('test/lab/cpufreq.asl')])
    const card = await createCard(t, 'e1000e')
    let isAsked = false
    const onOutput = (output: string): void => {
      const port = /^serves (\d+)\n/m.exec(output)?.[1]
      if (port === undefined || isAsked) return
      isAsked = true
      const load = { host: ADDRESS, port: Number(port), connections: 4, rate: RATE }
      const args = listArguments({ ...load, requests: RATE * SECONDS, timeout: 2 * SECONDS })
      void startProcess(t, KVLOAD, args, { netns: card.netns })
    }
    await runGuest(t, 'advise', { card, acpi: join(folder, 'cpufreq.aml'), onOutput, environment: ENDS })
  },
)
