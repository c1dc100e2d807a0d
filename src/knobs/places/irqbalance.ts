import { lstatSync } from 'node:fs'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import * as v from 'valibot'
import { listTuners } from '../../system/tuners.js'

/** Whether irqbalance leaves an interrupt alone: `banned`, or `balanced`. It forgets that when it ends. */
export const irqbalancePlace = v.strictObject({
  kind: v.literal('irqbalance'),
  irq: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(2 ** 31 - 1)),
})

type IrqbalancePlace = v.InferOutput<typeof irqbalancePlace>

const TIMEOUT_MS = 2000

/** Gives null where no irqbalance runs that can be asked. */
export const readBan = async ({ irq }: IrqbalancePlace): Promise<string | null> => {
  const banned = await readBans()
  return banned === null ? null : banned.includes(irq) ? 'banned' : 'balanced'
}

/** Gives all interrupts that irqbalance leaves alone; null where none runs that can be asked. Throws when it does not answer. */
export const readBans = async (): Promise<number[] | null> => {
  const socket = findSocket()
  return socket === null ? null : listBanned(socket)
}

/** Throws where no irqbalance runs that can be told. */
export const writeBan = async ({ irq }: IrqbalancePlace, value: string): Promise<void> => {
  const socket = findSocket()
  if (socket === null) throw new Error('irqbalance is gone')
  const others = (await listBanned(socket)).filter(banned => banned !== irq)
  const banned = value === 'banned' ? [...others, irq] : others
  // What it is told takes the place of all that it had banned.
  await ask(socket, `settings ban irqs ${banned.length === 0 ? 'NONE' : banned.join(' ')}`)
}

/** Where those that run listen (irqbalance(1), SOCKET API), if they do; a file of somebody else's is none of it. */
const listSockets = (): { pid: number; socket: string | null }[] =>
  listTuners()
    .filter(({ name }) => name === 'irqbalance')
    .map(({ pid }) => {
      const path = `/run/irqbalance/irqbalance${pid}.sock`
      const file = lstatSync(path, { throwIfNoEntry: false })
      return { pid, socket: file?.isSocket() && file.uid === 0 ? path : null }
    })

const findSocket = (): string | null => listSockets().find(({ socket }) => socket !== null)?.socket ?? null

/** Gives the processes of irqbalance that can't be told anything. */
export const listDeafBalancers = (): number[] =>
  listSockets().flatMap(({ pid, socket }) => (socket === null ? [pid] : []))

/** In its answer, each banned interrupt follows the word IRQ. */
const listBanned = async (socket: string): Promise<number[]> =>
  [...(await ask(socket, 'setup')).matchAll(/\bIRQ (\d{1,10})\b/g)].map(([, irq]) => Number(irq))

/** It answers one command a connection, and closes it. The kernel tells it who asks. */
const ask = async (path: string, command: string): Promise<string> => {
  const socket = connect({ path })
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('irqbalance does not answer')))
  socket.write(command)
  return text(socket)
}
