import { buildPrograms } from '../attribution/programs.js'
import { rootPath } from '../kernel/support/fixtures.js'
import { testBehindCard } from './behind-card.js'
import { boot, labTest } from './support.js'

/** Emulated, a request takes milliseconds, of which the next one must not be a part. */
const RATE = 50

labTest(
  'finds most of a delay in the stage where it was injected, behind a card that interrupts',
  async t => {
    await buildPrograms()
    await testBehindCard(t, 'order', { environment: { TAUT_TEST_RATE: RATE } })
  },
)

labTest(
  'finds most of a delay in the stage where it was injected, on a virtual wire within the machine',
  async t => {
    await buildPrograms()
    const { status, output } = await boot(
      t,
      `cd '${rootPath('.')}'
    export TAUT_TEST_RATE=${RATE}
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config guest.ava.config.js --no-color dist/test/lab/guest/order-within.js`,
    )
    t.is(status, 0, output)
    t.notRegex(output, /skipped/)
    t.log(output)
  },
)
