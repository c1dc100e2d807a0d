import { buildFixtures, rootPath } from '../kernel/support/fixtures.js'
import { boot, labTest } from './support.js'

/** Those whose counts have to be exact whatever the machine's speed is. */
const FILES = ['connections', 'threads']

labTest('what the kernel tests assert of connections and threads holds on an older kernel', async t => {
  await buildFixtures()
  const files = FILES.map(name => `dist/test/kernel/${name}.test.js`)
  const { status, output } = await boot(
    t,
    `cd '${rootPath('.')}'
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config kernel.ava.config.js --no-color ${files.join(' ')}`,
  )
  t.is(status, 0, output)
  t.notRegex(output, /skipped/)
  t.log(output)
})
