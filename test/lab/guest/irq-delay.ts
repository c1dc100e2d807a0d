import { readFile } from 'node:fs/promises'
import type { Injection } from '../../attribution/injection.js'
import { attachDelays } from '../../attribution/programs.js'
import { startMemcachedOn } from '../../attribution/services.js'
import { type Machine, WIRE } from '../../attribution/world.js'

/** The card's interrupt for what it has received, by its number; e1000e names it so. */
const findReceiveIrq = async (): Promise<number> => {
  const interrupts = await readFile('/proc/interrupts', 'utf8')
  const irq = new RegExp(`^ *(\\d+):.* ${WIRE}-rx-0$`, 'm').exec(interrupts)?.[1]
  if (irq === undefined) throw new Error(`no interrupt of ${WIRE} in:\n${interrupts}`)
  return Number(irq)
}

/** A network card whose interrupt is slow to handle: the softirq that it asks for begins late. */
export const irq: Injection<Machine> = {
  stage: 'irq',
  by: "the card's interrupt handler, which takes long",
  start: async (machine, delayUs) => {
    const service = await startMemcachedOn(machine, machine.serviceCpu)
    const options = { port: service.port, delayUs, irq: await findReceiveIrq() }
    const handler = { program: 'delay_interrupt', hook: 'tracepoint' } as const
    const delay = await attachDelays(machine, machine.server, options, handler)
    const end = async (): Promise<number> => {
      const { sumNs, times } = await delay.end()
      machine.t.true(times > 0, 'the card has not interrupted')
      await service.end()
      return Number(sumNs)
    }
    return { ...service, load: {}, end }
  },
}
