import type { Injection } from './injection.js'
import { startWithDelay } from './packet-delays.js'
import type { Machine } from './world.js'

/** Between a call's entry and the socket layer's copy to the service: taut, which attaches later, is told afterwards. */
export const beforeCopy: Injection<Machine> = {
  stage: 'dispatch',
  by: 'program that spins where recv begins to copy',
  start: (machine, delayUs) =>
    startWithDelay(machine, machine.server, delayUs, { program: 'delay_before_copy', hook: 'tracepoint' }),
}

/** The same of a call that sends. */
export const beforeSend: Injection<Machine> = {
  stage: 'app_cpu',
  by: 'program that spins where TCP begins to send',
  start: (machine, delayUs) =>
    startWithDelay(machine, machine.server, delayUs, { program: 'delay_before_send', hook: 'tracepoint' }),
}
