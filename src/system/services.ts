import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { printable } from '../text/printable.js'
import { type ListeningSocket, type Protocol, readListeningSockets } from './sockets.js'
import { readStat } from './stat.js'

/**
 * A program that listens on a port in one network namespace. `netns` is the namespace's inode.
 *
 * `pids` are all processes that hold the socket, `pid` the one the others descend from. A socket of the kernel's
 * own, or one of a process that this user may not look into, has no `pids`, and `pid` and `comm` are null.
 */
export type Service = {
  port: number
  protocol: Protocol
  addresses: string[]
  netns: number
  pids: number[]
  pid: number | null
  comm: string | null
}

type Listener = ListeningSocket & { netns: number; protocol: Protocol }

/** Processes looked at between two turns of the event loop: a few milliseconds on a slow board. */
const PROCESSES_A_TURN = 32

/**
 * Gives every service that listens by one of the protocols, TCP when none is given, in all network namespaces that have a
 * process, by port.
 *
 * Processes and namespaces that vanish meanwhile are left out. Throws when there is no `/proc`.
 */
export const listServices = async (...protocols: Protocol[]): Promise<Service[]> => {
  const wanted: Protocol[] = protocols.length === 0 ? ['tcp'] : protocols
  const holders = new Map<number, number[]>()
  const listeners = new Map<number, Listener>()
  const seenNetns = new Set<number>()

  const pids = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
  for (const [index, pid] of pids.entries()) {
    if (index % PROCESSES_A_TURN === PROCESSES_A_TURN - 1) await setImmediate()
    const netns = readNetns(pid)
    // Gone, or not ours to look into: then its files are not either.
    if (netns === null) continue
    collectSockets(pid, holders)
    if (!seenNetns.has(netns) && wanted.every(protocol => collectListeners(pid, netns, protocol, listeners)))
      seenNetns.add(netns)
  }

  return mergeListeners([...listeners.values()], holders)
}

/** Gives the inode of the network namespace that a process lives in; null when it is gone or out of reach. */
export const readNetns = (pid: number | 'self'): number | null =>
  ignoreVanished(() => Number(/^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1])) ?? null

const collectSockets = (pid: number, holders: Map<number, number[]>): void => {
  for (const fd of ignoreVanished(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const target = ignoreVanished(() => readlinkSync(`/proc/${pid}/fd/${fd}`))
    if (!target?.startsWith('socket:[')) continue
    const inode = Number(target.slice('socket:['.length, -1))
    const pids = holders.get(inode)
    if (pids === undefined) holders.set(inode, [pid])
    else if (pids.at(-1) !== pid) pids.push(pid)
  }
}

/** Adds what listens in a process's namespace; false when the process went before it could be read. */
const collectListeners = (
  pid: number,
  netns: number,
  protocol: Protocol,
  listeners: Map<number, Listener>,
): boolean => {
  const sockets = ignoreVanished(() => readListeningSockets(`/proc/${pid}/net/${protocol}`, protocol))
  if (sockets === undefined) return false
  // A kernel without IPv6 has no such file.
  const ipv6 = ignoreVanished(() => readListeningSockets(`/proc/${pid}/net/${protocol}6`, protocol)) ?? []
  for (const socket of [...sockets, ...ipv6]) listeners.set(socket.inode, { ...socket, netns, protocol })
  return true
}

const mergeListeners = (listeners: Listener[], holders: Map<number, number[]>): Service[] => {
  const services = new Map<string, Service>()
  for (const { address, port, protocol, inode, netns } of listeners) {
    const pids = holders.get(inode) ?? []
    const mainPid = findMainPid(pids)
    const comm = mainPid === null ? null : readComm(mainPid)
    // Several sockets of one program on one port: one an address family, or SO_REUSEPORT.
    const key = `${protocol} ${netns} ${port} ${comm}`
    const same = services.get(key)
    const allPids = comm === null ? [] : unique([...(same?.pids ?? []), ...pids]).sort((a, b) => a - b)
    const addresses = unique([...(same?.addresses ?? []), address]).sort()
    const pid = findMainPid(allPids)
    services.set(key, { port, protocol, addresses, netns, pids: allPids, pid, comm })
  }
  return [...services.values()].sort((a, b) => a.port - b.port || a.netns - b.netns)
}

const unique = <T>(values: T[]): T[] => [...new Set(values)]

const findMainPid = (pids: number[]): number | null => {
  // Init keeps a copy of the sockets that it opens on behalf of a service.
  const own = pids.length > 1 ? pids.filter(pid => pid !== 1) : pids
  const roots = own.length > 1 ? own.filter(pid => !own.includes(readParent(pid) ?? 0)) : own
  return roots[0] ?? own[0] ?? null
}

const readParent = (pid: number): number | undefined => readStat(`/proc/${pid}/stat`)?.field(4)

const readComm = (pid: number): string | null => {
  const comm = ignoreVanished(() => readFileSync(`/proc/${pid}/comm`, 'utf8'))
  return comm === undefined ? null : printable(comm.replace(/\n$/, ''))
}

/** Gives what `read` gives, or undefined when the process or file is gone or not ours to see. */
const ignoreVanished = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && VANISHED.has(String(error.code))) return undefined
    throw error
  }
}

/** EINVAL is what a zombie's `/proc/<pid>/net` gives. */
const VANISHED = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL'])
