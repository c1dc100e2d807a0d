import { type Injection, REQUESTS, type Target } from './injection.js'
import { attachDelays, type Place } from './programs.js'
import { startMemcachedOn } from './services.js'
import { type Machine, runIn, WIRE } from './world.js'

/** Starts memcached, and a BPF program that delays every request once. */
export const startWithDelay = async (
  machine: Machine,
  netns: string,
  delayUs: number,
  ...places: Place[]
): Promise<Target> => {
  const service = await startMemcachedOn(machine, machine.serviceCpu)
  const delay = await attachDelays(machine, netns, { port: service.port, delayUs }, ...places)
  const end = async (): Promise<number> => {
    const { sumNs, times } = await delay.end()
    machine.t.is(times, REQUESTS)
    await service.end()
    return Number(sumNs)
  }
  return { ...service, load: {}, end }
}

/** Before the driver gives the packet to the stack. */
export const driver: Injection = {
  stage: 'driver',
  by: 'native XDP program that spins',
  start: (world, delayUs) =>
    startWithDelay(world, world.server, delayUs, { program: 'delay_in_driver', hook: 'xdp', device: WIRE }),
}

/** Before IP and TCP, after the driver and steering. */
export const protocol: Injection<Machine> = {
  stage: 'protocol',
  by: 'tc ingress program that spins',
  start: (machine, delayUs) =>
    startWithDelay(machine, machine.server, delayUs, {
      program: 'delay_request',
      hook: 'ingress',
      device: WIRE,
    }),
}

/** More than one packet's payload, less than two. */
const BODY_BYTES = 2000
/** The second packet is late in any case: only then has the service read the first before, and waits already. */
const GAP_US = 500

/** Between the packets of one request. */
export const body: Injection = {
  stage: 'body',
  by: "tc ingress program that holds each request's second packet",
  start: async (world, delayUs) => {
    await runIn(world.client, 'ip', 'link', 'set', WIRE, 'gso_max_segs', 1)
    // No probe for a tail that seems lost (RFC 8985): until the client knows how long it takes, the delay looks like that.
    await runIn(world.client, 'sysctl', '-qw', 'net.ipv4.tcp_early_retrans=0')
    const second = { program: 'delay_request', hook: 'ingress', device: WIRE } as const
    const target = await startWithDelay(world, world.server, GAP_US + delayUs, second)
    return { ...target, load: { 'set-bytes': BODY_BYTES } }
  },
}

/** Behind TCP and IP, before the qdisc. */
export const send: Injection<Machine> = {
  stage: 'send',
  by: 'tc egress program that spins',
  start: (machine, delayUs) =>
    startWithDelay(machine, machine.server, delayUs, {
      program: 'delay_reply',
      hook: 'egress',
      device: WIRE,
    }),
}

/** On the acknowledgement's way out of the client. */
export const ack: Injection = {
  stage: 'ack',
  by: "tc egress program that holds the client's acknowledgements",
  start: async (world, delayUs) => {
    // Or the client would keep each acknowledgement until its next request.
    await runIn(world.client, 'ip', 'route', 'replace', `${world.host}/32`, 'dev', WIRE, 'quickack', 1)
    return startWithDelay(
      world,
      world.client,
      delayUs,
      { program: 'await_ack', hook: 'ingress', device: WIRE },
      { program: 'delay_ack', hook: 'egress', device: WIRE },
    )
  },
}
