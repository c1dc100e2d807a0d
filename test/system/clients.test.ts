import test from 'ava'
import { createClientTarget, listClients } from '../../src/system/clients.js'
import { readNetns } from '../../src/system/services.js'
import { readStat } from '../../src/system/stat.js'
import { TargetError } from '../../src/system/target.js'

const netns = readNetns('self') ?? 0
const comm = readStat('/proc/self/stat')?.comm ?? ''

test('what all send to a port has no process', t => {
  const service = {
    port: 5432,
    protocol: 'tcp' as const,
    addresses: [],
    netns,
    pids: [],
    pid: null,
    comm: null,
  }
  t.deepEqual(createClientTarget({ port: 5432 }), {
    role: 'client',
    ports: [5432],
    netns,
    pids: [],
    service,
  })
})

test('takes an address, and the process whose requests are meant', t => {
  const target = createClientTarget({ port: 80, host: '192.0.2.1', pid: process.pid })
  t.is(target.host, '192.0.2.1')
  t.deepEqual(target.clients, { pid: process.pid })
  t.deepEqual(target.pids, [process.pid])
  t.deepEqual([target.service.pid, target.service.comm], [process.pid, comm])
})

test('finds those for which all holds, as they are now', t => {
  t.true(listClients({ comm }).includes(process.pid))
  t.deepEqual(listClients({ comm, pid: process.pid }), [process.pid])
  t.deepEqual(listClients({ comm: 'no-such-program', pid: process.pid }), [])
  t.deepEqual(listClients({ unit: 'no-such-unit' }), [])
  t.deepEqual(listClients({ cgroup: 'no/such' }), [], 'it may have gone meanwhile')
})

test('says who is not there', t => {
  const message = (processes: Parameters<typeof listClients>[0]): string =>
    t.throws(() => createClientTarget({ port: 80, ...processes }), { instanceOf: TargetError }).message
  t.regex(
    message({ comm: 'no-such-program' }),
    /^there is no process with the name no-such-program; start it/,
  )
  t.regex(message({ pid: 2 ** 22 }), /^there is no process 4194304; start it first/)
  t.regex(
    message({ pid: process.pid, unit: 'no-such-unit' }),
    /^there is no process \d+ of unit no-such-unit; start it first/,
  )
  t.regex(message({ cgroup: 'no/such' }), /^there is no cgroup no\/such under/)
})
