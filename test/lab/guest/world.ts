import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { type Machine, WIRE } from '../../attribution/world.js'
import type { Context } from '../../kernel/support/kernel-test.js'
import { checkResult, type Load, listArguments } from '../../kernel/support/load.js'
import { listCpus, pinProcess, readOwnCpus } from '../../kernel/support/scheduler.js'
import { waitFor } from '../../kernel/support/wait.js'

const run = promisify(execFile)

/** The name that the machine's own network namespace gets: taut knows the interrupts of the cards that are there. */
const NETNS = 'taut-lab'

/** Where the machine's card is to be reached, and where the program in the client's namespace listens. */
export type Ends = { host: string; client: { host: string; port: number } }

/** Gives the card its name and address, once. */
export const prepareCard = async ({ host }: Ends): Promise<void> => {
  await run('ip', ['netns', 'attach', NETNS, String(process.pid)])
  await run('ip', ['link', 'set', 'eth0', 'name', WIRE])
  await run('ip', ['addr', 'add', `${host}/24`, 'dev', WIRE])
  await run('ip', ['link', 'set', WIRE, 'up'])
  await waitFor('the card', async () => {
    const { stdout } = await run('ip', ['-json', 'link', 'show', WIRE])
    return JSON.parse(stdout)[0].operstate === 'UP' ? true : null
  })
}

/** Gives this machine, whose client is outside of it, at the other end of the card's wire; this process is on its CPU meanwhile. */
export const findMachine = async (t: Context, { host, client }: Ends): Promise<Machine> => {
  const [clientCpu = 0, serviceCpu = 0] = listCpus()
  const before = await readOwnCpus()
  t.teardown(() => pinProcess(process.pid, before))
  await pinProcess(process.pid, clientCpu)
  const connectClient = async (load: Load): Promise<() => Promise<unknown>> => {
    const socket = connect(client)
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(`${JSON.stringify(listArguments(load))}\n`)
    await once(socket, 'readable')
    t.is(String(socket.read()), 'connected\n')
    return async () => {
      socket.write('\n')
      return checkResult(t, load, JSON.parse(await text(socket)))
    }
  }
  return { t, server: NETNS, host, clientCpu, serviceCpu, connectClient }
}
