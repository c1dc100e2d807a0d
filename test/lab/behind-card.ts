import type { ExecutionContext } from 'ava'
import { rootPath } from '../kernel/support/fixtures.js'
import { startProcess, waitForOutput } from '../kernel/support/processes.js'
import type { Ends } from './guest/world.js'
import { ADDRESS, CLIENT_ADDRESS, createCard, runGuest } from './support.js'
import type { Card } from './vm.js'

/**
 * Boots a machine behind an e1000e card that runs a program of test/lab/guest, whose tests have to pass; it can start the load
 * client at the other end of the card's wire. `prepare` is for what that end has to know besides, `environment` for the program.
 */
export const testBehindCard = async (
  t: ExecutionContext,
  name: string,
  {
    prepare,
    environment = {},
  }: { prepare?: (card: Card) => Promise<void>; environment?: Record<string, number> } = {},
): Promise<void> => {
  const card = await createCard(t, 'e1000e')
  await prepare?.(card)
  const program = rootPath('dist/test/lab/client.js')
  const client = await startProcess(t, process.execPath, [program], { netns: card.netns })
  const [, port] = await waitForOutput(client, /^port (\d+)\n/)
  const ends: Ends = { host: ADDRESS, client: { host: CLIENT_ADDRESS, port: Number(port) } }
  await runGuest(t, name, { card, environment: { TAUT_LAB_ENDS: JSON.stringify(ends), ...environment } })
}
