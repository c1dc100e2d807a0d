import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ClientOptions } from '../system/clients.js'
import type { Protocol } from '../system/sockets.js'
import type { TargetOptions } from '../system/target.js'
import { isUnspecified, parseAddress } from '../text/address.js'

/** What clients send to. */
type Remote = Pick<ClientOptions, 'port' | 'host'>

/** What commander makes of the option that names it. */
export type ClientArguments = { to?: Remote }

type NamedPort = { port: number; protocol?: Protocol }

/** What commander makes of the options below. */
export type TargetArguments = Omit<TargetOptions, 'port' | 'protocol'> & { port?: NamedPort }

/** Adds the options that name a target, the same for every command that has one. */
export const addTargetOptions = (command: Command): Command =>
  command
    .optionsGroup('Which service (with none of these, the one with the most traffic):')
    .option('--port <number>', 'the service that listens on this port; 53/udp for one of UDP', parsePort)
    .option('--pid <number>', 'the service of this process', parsePid)
    .option('--comm <name>', 'the service of the program with this name')
    .option('--cgroup <path>', 'the service in this cgroup')
    .option('--unit <name>', 'the service of this systemd unit')
    .option('--netns <name>', 'the service in this network namespace (name, path or inode)')
    .optionsGroup('Options:')

/** Picks the target out of a command's options. */
export const pickTarget = (options: TargetArguments): TargetOptions => ({
  ...options.port,
  ...pickOwner(options),
})

/** Picks whose sockets are meant. */
const pickOwner = ({
  pid,
  comm,
  cgroup,
  unit,
  netns,
}: TargetArguments): Omit<TargetOptions, 'port' | 'protocol'> => ({
  ...(pid !== undefined && { pid }),
  ...(comm !== undefined && { comm }),
  ...(cgroup !== undefined && { cgroup }),
  ...(unit !== undefined && { unit }),
  ...(netns !== undefined && { netns }),
})

/** Adds the option that names what clients send to, instead of a service. */
export const addClientOption = (command: Command): Command =>
  command.addOption(
    new Option(
      '--to <[address:]port>',
      'not a service, but the requests sent to this TCP port, of one address or of any, from here or from --netns; with --pid, --comm, --cgroup or --unit those of such processes',
    )
      .argParser(parseRemote)
      .conflicts('port'),
  )

/** Picks out of a command's options what is sent to a port; undefined where that is not asked for. */
export const pickClient = ({
  to,
  ...options
}: TargetArguments & ClientArguments): ClientOptions | undefined => to && { ...to, ...pickOwner(options) }

const NO_HOST =
  'An address is one of IPv4, as 192.0.2.1:5432, or one of IPv6 without a zone, as [2001:db8::1]:5432; a name has several, look with: getent ahosts NAME.'

const parseRemote = (text: string): Remote => {
  const [, v6, v4, number = text] = /^(?:\[(.*)\]:|(.*):)?([^:]*)$/.exec(text) ?? []
  const host = v6 ?? v4
  const port = parseWhole(
    number,
    65535,
    'A port is a whole number from 1 to 65535; only TCP is followed to other services.',
  )
  if (host === undefined) return { port }
  const address = parseAddress(host)
  if (address === null || (v6 === undefined) === host.includes(':')) throw new InvalidArgumentError(NO_HOST)
  if (isUnspecified(address))
    throw new InvalidArgumentError('Nobody sends to that address; without one it is what is sent to any.')
  return { port, host }
}

const parsePort = (text: string): NamedPort => {
  const [, number = '', protocol] = /^(.*?)(?:\/(tcp|udp))?$/.exec(text) ?? []
  const port = parseWhole(
    number,
    65535,
    'A port is a whole number from 1 to 65535, with /udp behind it for UDP.',
  )
  return { port, ...(protocol !== undefined && { protocol: protocol as Protocol }) }
}

const parsePid = (text: string): number => parseWhole(text, 2 ** 22, 'A process id is a whole number from 1.')

const parseWhole = (text: string, highest: number, complaint: string): number => {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > highest) throw new InvalidArgumentError(complaint)
  return value
}
