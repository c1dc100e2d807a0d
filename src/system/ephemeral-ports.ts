import { join } from 'node:path'
import { readText } from './files.js'
import type { Service } from './services.js'

/** The ports that sockets get that do not ask for one, both ends among them. */
export type PortRange = { first: number; last: number }

/** Gives the range of this network namespace; null when it can't be read. See Documentation/networking/ip-sysctl.rst. */
export const readEphemeralPorts = (proc = '/proc'): PortRange | null => {
  const text = readText(join(proc, 'sys/net/ipv4/ip_local_port_range')) ?? ''
  const [, first, last] = /^(\d{1,5})\s+(\d{1,5})$/.exec(text) ?? []
  return first === undefined || last === undefined ? null : { first: Number(first), last: Number(last) }
}

/** Whether a service is a client as a rule: UDP has no listening, and a client's socket looks the same but for its port. */
export const looksLikeClient = (
  { port, protocol }: Pick<Service, 'port' | 'protocol'>,
  ephemeral: PortRange | null,
): boolean => protocol === 'udp' && ephemeral !== null && port >= ephemeral.first && port <= ephemeral.last
