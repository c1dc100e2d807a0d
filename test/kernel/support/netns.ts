import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Context } from './kernel-test.js'
import { NETNS_PREFIX } from './leftovers.js'
import { waitFor } from './wait.js'

const run = promisify(execFile)
let created = 0

/** Makes a network namespace with only loopback, removed after the test, and gives its name. */
export const createNetns = async (t: Context): Promise<string> => {
  const name = `${NETNS_PREFIX}${++created}`
  await run('ip', ['netns', 'add', name])
  t.teardown(() => run('ip', ['netns', 'delete', name]))
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  return name
}

/** Two namespaces with a virtual wire between them; the addresses are the server's. */
export type NetnsPair = { server: string; client: string; ipv4: string; ipv6: string }

/**
 * Makes two namespaces and a veth pair between them, up on both sides, with so many queues in each direction. The addresses
 * are those for documentation.
 */
export const createNetnsPair = async (t: Context, queues = 1): Promise<NetnsPair> => {
  const server = await createNetns(t)
  const client = await createNetns(t)
  const size = ['numrxqueues', String(queues), 'numtxqueues', String(queues)]
  const peer = ['peer', 'name', 'wire', ...size, 'netns', client]
  await run('ip', ['-n', server, 'link', 'add', 'wire', ...size, 'type', 'veth', ...peer])
  const hosts = [[server, '192.0.2.1', '2001:db8::1'] as const, [client, '192.0.2.2', '2001:db8::2'] as const]
  for (const [name, ipv4, ipv6] of hosts) {
    await run('ip', ['-n', name, 'addr', 'add', `${ipv4}/24`, 'dev', 'wire'])
    await run('ip', ['-n', name, 'addr', 'add', `${ipv6}/64`, 'dev', 'wire', 'nodad'])
    await run('ip', ['-n', name, 'link', 'set', 'wire', 'up'])
  }
  for (const [name] of hosts) {
    await waitFor(`the wire of ${name}`, async () => {
      const { stdout } = await run('ip', ['-n', name, '-json', 'link', 'show', 'wire'])
      return JSON.parse(stdout)[0].operstate === 'UP' ? true : null
    })
  }
  return { server, client, ipv4: '192.0.2.1', ipv6: '2001:db8::1' }
}

/** Sets a kernel parameter of a namespace that the test made, with which it goes. */
export const setNamespaceSysctl = async (netns: string, name: string, value: string): Promise<void> => {
  await run('ip', ['netns', 'exec', netns, 'sysctl', '-qw', `${name}=${value}`])
}

/** Has a shell of a network namespace that the test made write settings, which go with it. */
export const writeSettings = async (netns: string, script: string): Promise<void> => {
  await run('ip', ['netns', 'exec', netns, 'sh', '-e', '-c', script])
}

/**
 * Gives how many packets with payload, or with the end of a stream, TCP has sent in the network namespace of a
 * process, without those that it sent again.
 */
export const countDataPackets = async (pid: number): Promise<number> => {
  const lines = (await readFile(`/proc/${pid}/net/netstat`, 'utf8')).split('\n')
  const [names, values] = lines.filter(line => line.startsWith('TcpExt:')).map(line => line.split(' '))
  return Number(values?.[names?.indexOf('TCPOrigDataSent') ?? -1])
}
