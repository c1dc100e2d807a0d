import { execFileSync } from 'node:child_process'
import test from 'ava'
import { listCpus, listOnlineCpus } from '../../src/system/cpus.js'
import { createMachine, within } from './fixtures/machine.js'

const CPUS = 'sys/devices/system/cpu'

test('a machine with two threads a core, one of its CPUs offline', t => {
  // After a Ryzen 7840U's, whose CPUs 0 and 8 share a core: https://github.com/mengmeet/PowerControl/issues/27
  const cpu = (id: number, core: number, siblings: string) =>
    within(`${CPUS}/cpu${id}`, {
      'topology/core_id': `${core}\n`,
      'topology/physical_package_id': '0\n',
      'topology/cluster_id': '65535\n',
      'topology/core_cpus_list': siblings,
      'topology/thread_siblings_list': siblings,
      'cpufreq/cpuinfo_max_freq': '5132000\n',
    })
  const [sys] = createMachine(
    t,
    {
      [`${CPUS}/online`]: '0,2,8\n',
      ...cpu(0, 0, '0,8\n'),
      ...cpu(1, 1, '\n'),
      ...cpu(2, 2, '2\n'),
      ...cpu(8, 0, '0,8\n'),
    },
    { [`${CPUS}/cpu0/node0`]: 'sys/devices/system/node/node0' },
  )
  t.deepEqual(listOnlineCpus(sys), [0, 2, 8])
  const [first, second, third] = listCpus(sys)
  t.deepEqual(first, {
    id: 0,
    core: 0,
    package: 0,
    cluster: null,
    siblings: [0, 8],
    capacity: null,
    maxKhz: 5132000,
    policy: null,
    node: 0,
  })
  t.deepEqual([second?.id, second?.core, second?.siblings, second?.node], [2, 2, [2], null])
  t.deepEqual([third?.id, third?.core, third?.siblings], [8, 0, [0, 8]])
})

test('a board with big and little cores, each kind with a frequency of its own', t => {
  // After an RK3399's, four A53 and two A72: https://github.com/avafinger/htop-2.1.1_enhanced-version/issues/1
  const cpus = [0, 1, 2, 3, 4, 5].map(id => {
    const isBig = id > 3
    return within(`${CPUS}/cpu${id}`, {
      'topology/core_id': `${isBig ? id - 4 : id}\n`,
      'topology/physical_package_id': '-1\n',
      'topology/cluster_id': isBig ? '1\n' : '0\n',
      'topology/thread_siblings_list': `${id}\n`,
      cpu_capacity: isBig ? '1024\n' : '485\n',
    })
  })
  const policy = (id: number) => [`${CPUS}/cpu${id}/cpufreq`, `${CPUS}/cpufreq/policy${id > 3 ? 4 : 0}`]
  const [sys] = createMachine(
    t,
    Object.assign(
      {
        [`${CPUS}/online`]: '0-5\n',
        [`${CPUS}/cpufreq/policy0/cpuinfo_max_freq`]: '1416000\n',
        [`${CPUS}/cpufreq/policy4/cpuinfo_max_freq`]: '1800000\n',
      },
      ...cpus,
    ),
    Object.fromEntries([0, 1, 2, 3, 4, 5].map(policy)),
  )
  t.deepEqual(
    listCpus(sys).map(({ core, package: socket, cluster, capacity, maxKhz, policy }) => [
      core,
      socket,
      cluster,
      capacity,
      maxKhz,
      policy,
    ]),
    [
      ...[0, 1, 2, 3].map(core => [core, null, 0, 485, 1416000, 0]),
      ...[0, 1].map(core => [core, null, 1, 1024, 1800000, 4]),
    ],
  )
})

test('what is not told, or is no number, is left out', t => {
  const [sys] = createMachine(t, {
    [`${CPUS}/online`]: '0-1\n',
    [`${CPUS}/cpu0/topology/core_id`]: 'many\n',
    [`${CPUS}/cpu0/topology/core_cpus_list`]: '0-99999999\n',
    [`${CPUS}/cpu0/cpu_capacity`]: '\u001B[31m\n',
  })
  const unknown = {
    core: null,
    package: null,
    cluster: null,
    capacity: null,
    maxKhz: null,
    policy: null,
    node: null,
  }
  t.deepEqual(listCpus(sys), [
    { id: 0, siblings: [0], ...unknown },
    { id: 1, siblings: [1], ...unknown },
  ])
  t.deepEqual(listCpus('/nowhere'), [])
})

test('this machine’s CPUs are those that lscpu lists', t => {
  const output = execFileSync('lscpu', ['--physical', '--parse=CPU,CORE,SOCKET,NODE'], { encoding: 'utf8' })
  const listed = output
    .split('\n')
    .filter(line => /^\d/.test(line))
    .map(line => line.split(',').map(field => (field === '' || field === '-' ? null : Number(field))))
  t.deepEqual(
    listCpus().map(({ id, core, package: socket, node }) => [id, core, socket, node]),
    listed,
  )
  t.is(listOnlineCpus().length, Number(execFileSync('getconf', ['_NPROCESSORS_ONLN'])))
})
