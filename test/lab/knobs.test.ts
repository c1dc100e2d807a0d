import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootPath } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import { createCard, ENDS, labTest, runGuest } from './support.js'

const run = promisify(execFile)

labTest('sets knobs of real hardware, sees their effects under traffic, and puts all back', async t => {
  const folder = await createFolder(t)
  await run('iasl', ['-p', join(folder, 'cpufreq'), rootPath('test/lab/cpufreq.asl')])
  const card = await createCard(t, 'e1000e')
  await runGuest(t, 'knobs', { card, acpi: join(folder, 'cpufreq.aml'), environment: ENDS })
})
