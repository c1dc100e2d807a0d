import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootPath } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import { ADDRESS, boot, CLIENT_ADDRESS, createCard, labTest } from './support.js'

const run = promisify(execFile)

labTest('sets knobs of real hardware, sees their effects under traffic, and puts all back', async t => {
  const folder = await createFolder(t)
  await run('iasl', ['-p', join(folder, 'cpufreq'), rootPath('test/lab/cpufreq.asl')])
  const card = await createCard(t, 'e1000e')
  const { status, output } = await boot(
    t,
    `cd '${rootPath('.')}'
    export TAUT_LAB_ADDRESS='${ADDRESS}' TAUT_LAB_PEER='${CLIENT_ADDRESS}'
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config guest.ava.config.js --no-color dist/test/lab/guest/knobs.js`,
    { card, acpi: join(folder, 'cpufreq.aml') },
  )
  t.is(status, 0, output)
  t.notRegex(output, /skipped/)
  t.log(output)
})
