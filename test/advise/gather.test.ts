import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import test from 'ava'
import { watchMachine } from '../../src/advise/gather.js'
import { listOnlineCpus } from '../../src/system/cpus.js'
import { listServices } from '../../src/system/services.js'

const TURNS = 200

/** Sends a byte and waits for it to come back, so many times. */
const exchange = async (socket: Socket): Promise<void> => {
  for (let turn = 0; turn < TURNS; turn++) {
    socket.write('x')
    await once(socket, 'data')
  }
}

test('what is seen of a service on loopback: the device, its packets, the CPUs; and of one elsewhere, no device', async t => {
  const server = createServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect(port, '127.0.0.1').setNoDelay()
  await once(client, 'connect')
  t.teardown(() => {
    client.destroy()
    server.close()
  })
  const service = (await listServices()).find(each => each.port === port)
  if (service === undefined) return t.fail('the service is not listed')

  const end = watchMachine(service)
  // As if it were in a namespace that is not this process's.
  const endElsewhere = watchMachine({ ...service, netns: service.netns + 1 })
  await exchange(client)
  const machine = await end()
  t.is(machine.nic?.name, 'lo')
  t.deepEqual(machine.irqs, [])
  t.is(machine.foreignNic, null)
  t.true(machine.received >= TURNS * 2, `${machine.received}`)
  t.true(machine.serviceCpus.length > 0 && machine.serviceCpus.every(cpu => listOnlineCpus().includes(cpu)))
  t.true(machine.clockShare === null || (machine.clockShare > 0 && machine.clockShare <= 1))
  t.true(machine.neighbours.every(({ pid }) => pid !== process.pid))

  const elsewhere = await endElsewhere()
  t.is(elsewhere.nic, null)
  t.is(elsewhere.isRfsOn, null)
  t.is(typeof elsewhere.foreignNic, 'string')
})
