import { createCard, ENDS, labTest, runGuest } from './support.js'

labTest('moves and steers a card of two queues under traffic, as profiles do, and puts all back', async t => {
  const card = await createCard(t, 'virtio-net-pci', 2)
  await runGuest(t, 'queues', { card, environment: ENDS })
})
