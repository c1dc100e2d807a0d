import { buildPrograms } from '../attribution/programs.js'
import { buildFixtures, rootPath } from '../kernel/support/fixtures.js'
import { startProcess, waitForOutput } from '../kernel/support/processes.js'
import type { Ends } from './guest/world.js'
import { ADDRESS, boot, CLIENT_ADDRESS, createCard, labTest } from './support.js'

labTest(
  'finds most of a delay in the stage where it was injected, behind a card that interrupts',
  async t => {
    await buildFixtures()
    await buildPrograms()
    const card = await createCard(t, 'e1000e')
    const program = rootPath('dist/test/lab/client.js')
    const client = await startProcess(t, process.execPath, [program], { netns: card.netns })
    const [, port] = await waitForOutput(client, /^port (\d+)\n/)
    const ends: Ends = { host: ADDRESS, client: { host: CLIENT_ADDRESS, port: Number(port) } }
    const { status, output } = await boot(
      t,
      `cd '${rootPath('.')}'
    export TAUT_LAB_ENDS='${JSON.stringify(ends)}'
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config guest.ava.config.js --no-color dist/test/lab/guest/order.js`,
      { card },
    )
    t.is(status, 0, output)
    t.notRegex(output, /skipped/)
    t.log(output)
  },
)

labTest(
  'finds most of a delay in the stage where it was injected, on a virtual wire within the machine',
  async t => {
    await buildFixtures()
    await buildPrograms()
    const { status, output } = await boot(
      t,
      `cd '${rootPath('.')}'
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config guest.ava.config.js --no-color dist/test/lab/guest/order-within.js`,
    )
    t.is(status, 0, output)
    t.notRegex(output, /skipped/)
    t.log(output)
  },
)
