import { rootPath } from '../kernel/support/fixtures.js'
import { ADDRESS, boot, CLIENT_ADDRESS, createCard, labTest } from './support.js'

labTest('moves and steers a card of two queues under traffic, as profiles do, and puts all back', async t => {
  const card = await createCard(t, 'virtio-net-pci', 2)
  const { status, output } = await boot(
    t,
    `cd '${rootPath('.')}'
    export TAUT_LAB_ADDRESS='${ADDRESS}' TAUT_LAB_PEER='${CLIENT_ADDRESS}'
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config guest.ava.config.js --no-color dist/test/lab/guest/queues.js`,
    { card },
  )
  t.is(status, 0, output)
  t.notRegex(output, /skipped/)
  t.log(output)
})
