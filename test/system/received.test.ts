import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import test from 'ava'
import { countReceived, parseReceived } from '../../src/system/received.js'
import { listServices } from '../../src/system/services.js'

test('of what ss prints, the packets with payload of each connection are found', t => {
  const text = `0      5      127.0.0.1:41187 127.0.0.1:60102 bbr wscale:10,10 segs_in:28230 data_segs_out:28227 data_segs_in:28227 send 2542344828bps
12     0      [::ffff:192.0.2.1]:22 [::ffff:192.0.2.2]:60144 cubic segs_in:1
0 0 [fe80::1]%eth0:80 [fe80::2]:9 cubic data_segs_in:3
`
  t.deepEqual(
    [...parseReceived(text).values()],
    [
      { port: 41187, packets: 28227 },
      { port: 22, packets: 0 },
      { port: 80, packets: 3 },
    ],
  )
  t.deepEqual([...parseReceived('').keys()], [])
})

test('what the connections of a service take in is counted', async t => {
  // The end that is still answering when the other goes is told so by a reset.
  const echo = (socket: Socket): unknown => socket.on('error', () => socket.destroy()).pipe(socket)
  const servers = [createServer(echo), createServer(echo)]
  const ports: number[] = []
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    t.teardown(() => server.close())
    await once(server, 'listening')
    const address = server.address()
    ports.push(typeof address === 'object' ? (address?.port ?? 0) : 0)
  }
  const sockets: Socket[] = ports.map(port => connect(port, '127.0.0.1'))
  for (const socket of sockets) t.teardown(() => socket.destroy())
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  const busy = sockets[1]
  busy?.on('data', () => busy.write('again'))
  busy?.write('first')
  const services = (await listServices()).filter(({ port }) => ports.includes(port))
  const counts = await countReceived(services, 300)
  const find = (port: number | undefined) => counts[services.findIndex(service => service.port === port)]
  t.is(find(ports[0]), 0)
  t.true((find(ports[1]) ?? 0) > 1)
  t.deepEqual(
    await countReceived(
      services.map(service => ({ ...service, protocol: 'udp' })),
      0,
    ),
    [null, null],
  )
})
