import test from 'ava'
import { pickOnlyTcp, resolveCandidates } from '../../src/system/candidates.js'
import { readNetns, type Service } from '../../src/system/services.js'
import type { Protocol } from '../../src/system/sockets.js'
import { TargetError, type TargetOptions } from '../../src/system/target.js'

const netns = readNetns('self') ?? -1
const range = { first: 32_768, last: 60_999 }

const createService = (port: number, protocol: Protocol, comm: string, pid: number): Service => ({
  port,
  protocol,
  addresses: ['0.0.0.0'],
  netns,
  pids: [pid],
  pid,
  comm,
})

const memcached = createService(11_211, 'tcp', 'memcached', 10)
const resolver = createService(53, 'tcp', 'unbound', 20)
const resolverUdp = createService(53, 'udp', 'unbound', 20)
const dhcp = createService(68, 'udp', 'dhclient', 30)
const client = createService(40_000, 'udp', 'dig', 40)
const services = [resolver, resolverUdp, dhcp, memcached, client]

const resolve = (options: TargetOptions, among = services) =>
  resolveCandidates(options, among, range).map(({ ports, service }) => [ports[0], service.protocol])

/** Gives the message; fails the test when the target resolves. */
const explain = (options: TargetOptions, among = services): string => {
  try {
    resolveCandidates(options, among, range)
  } catch (error) {
    if (error instanceof TargetError) return error.message
    throw error
  }
  throw new Error('resolved')
}

test('without options every service is one, and of UDP those that do not look like clients', t => {
  t.deepEqual(resolve({}), [
    [53, 'tcp'],
    [11_211, 'tcp'],
    [53, 'udp'],
    [68, 'udp'],
  ])
  t.deepEqual(resolve({}, [dhcp, client]), [[68, 'udp']])
  t.regex(explain({}, [client]), /^nothing listens on any TCP port/)
})

test('a name means TCP, and UDP where TCP has nothing by that name', t => {
  t.deepEqual(resolve({ port: 53 }), [[53, 'tcp']])
  t.deepEqual(resolve({ port: 68 }), [[68, 'udp']])
  t.deepEqual(resolve({ comm: 'dhclient' }), [[68, 'udp']])
  t.deepEqual(resolve({ comm: 'dig' }), [[40_000, 'udp']])
})

test('a network namespace alone does not mean a client', t => {
  t.deepEqual(resolve({ netns: String(netns) }, [dhcp, client]), [[68, 'udp']])
  t.regex(explain({ netns: String(netns) }, [client]), /^nothing listens/)
})

test('what listens is told of both protocols, clients aside', t => {
  const message =
    'nothing listens on port 9; listening: unbound 53, memcached 11211, unbound 53/udp, dhclient 68/udp; choose one with --port'
  t.is(explain({ port: 9 }), message)
  t.regex(explain({ port: 9 }, [dhcp]), /^nothing listens on port 9; listening: dhclient 68\/udp; /)
})

test('the only one of TCP, whatever there is of UDP', t => {
  t.is(pickOnlyTcp([{ service: dhcp }, { service: memcached }])?.service, memcached)
  t.is(pickOnlyTcp([{ service: resolver }, { service: memcached }]), null)
  t.is(pickOnlyTcp([{ service: dhcp }]), null)
})
