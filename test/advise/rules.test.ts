import test from 'ava'
import { RULES } from '../../src/advise/all.js'
import type { Evidence, MachineEvidence } from '../../src/advise/evidence.js'
import type { AdvisedSetting, Finding } from '../../src/advise/rule.js'
import type { MeasureDocument } from '../../src/latency/document.js'
import {
  card,
  cpu,
  createDocument,
  createEvidence,
  fourCpus,
  hog,
  irq,
  localityOf,
  loopback,
  type Times,
} from './example-evidence.js'

/** What a rule is to find, and what takes a part of its evidence away, so that it is to find nothing. */
type Case = {
  rule: string
  about: string
  slow?: Times
  machine?: Partial<MachineEvidence>
  document?: Partial<MeasureDocument>
  finding: RegExp
  settings: AdvisedSetting[]
  /** Each is silent when this is so instead. */
  not: Record<
    string,
    { slow?: Times; machine?: Partial<MachineEvidence>; document?: Partial<MeasureDocument> }
  >
}

const WAITING: Times = { runqueue: 60, dispatch: 10 }
const { port } = createDocument().target
const IRQBALANCE = { name: 'irqbalance', pid: 5 } as const
const ON_TWO: [number, number][] = [
  [0, 500],
  [2, 600],
]

const CASES: Case[] = [
  {
    rule: 'steal',
    about: 'the hypervisor takes CPUs away',
    machine: { cpus: fourCpus(cpu(0, { steal: 0.2 })) },
    finding: /hypervisor/,
    settings: [],
    not: { 'nothing is stolen': { machine: { cpus: fourCpus() } } },
  },
  {
    rule: 'own-time',
    about: 'the service itself takes the time',
    slow: { app_cpu: 900 },
    finding: /^no setting will help: 9\d % of the slowest 1 % is the service's own work/,
    settings: [],
    not: { 'something else takes it': { slow: WAITING } },
  },
  {
    rule: 'own-time',
    about: 'the service itself takes the time, on a slow clock',
    slow: { app_cpu: 900 },
    machine: { governors: ['powersave'], clockShare: 0.5 },
    finding: /^no setting will help but what is advised besides: 9\d %/,
    settings: [],
    not: {},
  },
  {
    rule: 'own-time',
    about: 'the service itself takes the time, some of it to get huge pages',
    slow: { app_cpu: 900 },
    machine: { hugePages: 'always', hugeFaults: 1000 },
    finding: /^no setting will help but what is advised besides: 9\d %/,
    settings: [],
    not: {},
  },
  {
    rule: 'own-time',
    about: 'the service itself takes most of the time, and CPUs that sleep deeply some',
    slow: { app_cpu: 900, idle_exit: 200 },
    finding: /^no setting will help but what is advised besides: \d\d %/,
    settings: [],
    not: {},
  },
  {
    rule: 'own-time',
    about: 'the service waits for something of its own',
    slow: { app_wait: 900 },
    finding: /^hardly a setting will help but what is advised besides: .* waiting/,
    settings: [],
    not: {},
  },
  {
    rule: 'other-namespace',
    about: "packets' way takes the time, in another namespace",
    slow: { driver: 60 },
    machine: { nic: null, foreignNic: 'eth9', irqs: [], isRfsOn: null },
    finding: /network device eth9 is in another network namespace/,
    settings: [],
    not: {
      'the device is here': { machine: { foreignNic: null } },
      'something else takes the time': { slow: WAITING },
    },
  },
  {
    rule: 'huge-pages',
    about: 'memory is compacted',
    machine: { compactions: 3 },
    finding: /memory is compacted/,
    settings: [{ knob: 'vm.thp', value: 'never' }],
    not: {
      'it was not': { machine: { compactions: 0 } },
      'huge pages are off': { machine: { compactions: 3, hugePages: 'never' } },
    },
  },
  {
    rule: 'huge-pages',
    about: 'huge pages are given out all the time',
    slow: { app_cpu: 200 },
    machine: { hugeFaults: 500 },
    finding: /huge pages are cleared/,
    settings: [{ knob: 'vm.thp', value: 'never' }],
    not: {
      'only a few': { machine: { hugeFaults: 5 } },
      'the service is not where the time goes': { slow: { runqueue: 400 }, machine: { hugeFaults: 500 } },
    },
  },
  {
    rule: 'squeezed',
    about: 'the budget is used up',
    machine: { squeezes: 50 },
    finding: /used up its budget/,
    settings: [{ knob: 'net.budget', value: '600/8000' }],
    not: { 'hardly ever': { machine: { squeezes: 2 } } },
  },
  {
    rule: 'busy-polling-off',
    about: 'more threads poll than there are CPUs',
    slow: WAITING,
    machine: { busyPollUs: 50, busyReadUs: 50, busyThreads: 9 },
    finding: /busy polling is on, and takes CPU time/,
    settings: [
      { knob: 'net.busy_poll', value: '0' },
      { knob: 'net.busy_read', value: '0' },
    ],
    not: {
      'it is off': { machine: { busyThreads: 9 } },
      'there is a CPU for each': { machine: { busyPollUs: 50, busyThreads: 4 } },
    },
  },
  {
    rule: 'busy-polling-off',
    about: 'CPUs are full, and requests wait for them',
    slow: WAITING,
    machine: {
      busyReadUs: 50,
      serviceCpus: [0, 1],
      cpus: fourCpus(cpu(0, { busy: 0.99 }), cpu(1, { busy: 0.97 })),
    },
    finding: /busy polling is on/,
    settings: [{ knob: 'net.busy_read', value: '0' }],
    not: {
      'nobody waits': { slow: {} },
      'the CPUs have time left': { machine: { busyReadUs: 50, serviceCpus: [0, 1] } },
    },
  },
  {
    rule: 'steered-to-busy-cpu',
    about: 'RPS points at the CPU that a neighbour burns, and names it',
    slow: WAITING,
    machine: { rpsCpus: [2], neighbours: [hog({ cpu: 2 }), hog({ cpu: 3, comm: 'other' })] },
    finding: /steered to CPU 2 \(RPS\), where hog \(77\) takes the time/,
    settings: [{ knob: 'net.rps', value: 'none', nic: 'eth0' }],
    not: {
      'RPS is off': { machine: { rpsCpus: [] } },
      'the neighbour is elsewhere': { machine: { rpsCpus: [2], neighbours: [hog({ cpu: 3 })] } },
      'nothing waits': { slow: {} },
    },
  },
  {
    rule: 'steered-to-busy-cpu',
    about: 'packets wait on their way to the other CPU, on loopback too',
    slow: { steer: 60 },
    machine: { rpsCpus: [2], nic: loopback, irqs: [] },
    finding: /packets of lo are steered to CPU 2 \(RPS\), and wait there/,
    settings: [{ knob: 'net.rps', value: 'none', nic: 'lo' }],
    not: { 'they do not wait': { slow: {} } },
  },
  {
    rule: 'away-from-app',
    about: 'RFS is off and the service is moved about, also over a virtual wire',
    machine: { nic: { ...loopback, name: 'veth0' } },
    document: {
      locality: [
        { softirq_cpu: 0, recv_cpu: 0, requests: 2600 },
        { softirq_cpu: 0, recv_cpu: 1, requests: 2400 },
      ],
    },
    finding: /many requests come in on another CPU/,
    settings: [{ knob: 'net.rfs', value: '32768', nic: 'veth0' }],
    not: {
      'it is on': { machine: { isRfsOn: true } },
      'they are read where they come in': { document: localityOf(1, 1) },
      'they came by no device that is known': { machine: { nic: null } },
    },
  },
  {
    rule: 'away-from-app',
    about: 'RFS would help, and its table is out of reach',
    machine: { isRfsOn: null },
    document: localityOf(0, 1),
    finding: /many requests come in on another CPU/,
    settings: [],
    not: {},
  },
  {
    rule: 'one-cpu-takes-all',
    about: 'one CPU is full of softirqs while others idle',
    slow: { driver: 30 },
    machine: { cpus: fourCpus(cpu(0, { busy: 0.9, softirq: 0.8 }), cpu(3, { busy: 0.7 })) },
    finding: /CPU 0 does the work for all packets/,
    settings: [{ knob: 'net.rps', value: '1-2', nic: 'eth0' }],
    not: {
      'softirqs take little': { machine: { cpus: fourCpus() } },
      'RPS is on': { machine: { rpsCpus: [1] } },
      'no CPU is idle': {
        machine: {
          cpus: [0, 1, 2, 3].map(number => cpu(number, { busy: 0.9, softirq: number === 0 ? 0.8 : 0.1 })),
        },
      },
    },
  },
  {
    rule: 'neighbour',
    about: 'a process burns a CPU of the service, and is named',
    slow: WAITING,
    machine: { neighbours: [hog(), hog({ pid: 78, comm: 'small', share: 0.3, cpu: 2 })] },
    finding: /^hog \(77\) runs on CPU 1/,
    settings: [{ knob: 'cpu.app_affinity', value: '0,3', port }],
    not: {
      'nobody waits': { slow: {} },
      'it takes little': { machine: { neighbours: [hog({ share: 0.1 })] } },
      'the service may not run there': { machine: { neighbours: [hog()], serviceCpus: [0] } },
    },
  },
  {
    rule: 'neighbour',
    about: 'a process burns the only CPU, and is named all the same',
    slow: WAITING,
    machine: { cpus: [cpu(1)], serviceCpus: [1], neighbours: [hog()] },
    finding: /^no setting will help against hog \(77\), which runs on CPU 1, the only one/,
    settings: [],
    not: {},
  },
  {
    rule: 'irq-on-app-cpu',
    about: 'the service is pinned to the CPU that takes all softirqs, on loopback too',
    slow: WAITING,
    machine: { serviceCpus: [0], nic: loopback, irqs: [] },
    document: localityOf(0, 0),
    finding: /packets come in on CPU 0, and the service runs there too/,
    settings: [{ knob: 'cpu.app_affinity', value: '1-3', port }],
    not: {
      'nothing waits': { slow: {} },
      'it runs elsewhere': { document: localityOf(0, 1) },
      'there is no other CPU': { machine: { cpus: [cpu(0)] } },
    },
  },
  {
    rule: 'irq-on-app-cpu',
    about: 'softirqs take much of the CPU of the service',
    machine: { cpus: fourCpus(cpu(0, { busy: 0.8, softirq: 0.45 })) },
    document: localityOf(0, 0),
    finding: /packets come in on CPU 0/,
    settings: [{ knob: 'cpu.app_affinity', value: '1-3', port }],
    not: {},
  },
  {
    rule: 'irqs-elsewhere',
    about: 'all interrupts come to the CPU of the service',
    slow: WAITING,
    machine: { serviceCpus: [0], irqs: [irq(0, { cpus: [0], counts: [[0, 9000]] })] },
    document: localityOf(0, 0),
    finding: /interrupts of eth0 come to CPU 0, where the service runs/,
    settings: [{ knob: 'irq.affinity', value: '1-3', nic: 'eth0' }],
    not: {
      "they can't be moved": { machine: { irqs: [irq(0, { isMovable: false, counts: [[0, 9000]] })] } },
      'they come to another CPU': { machine: { irqs: [irq(0)] } },
      'nothing waits': { slow: {} },
      'there is no card': { machine: { nic: loopback, irqs: [] } },
      'the service runs everywhere': {
        document: {
          locality: [0, 1, 2, 3].map(each => ({ softirq_cpu: each, recv_cpu: each, requests: 1250 })),
        },
      },
    },
  },
  {
    rule: 'irqbalance',
    about: 'an interrupt goes elsewhere at the end than at the beginning',
    machine: { tuners: [IRQBALANCE], irqs: [irq(0, { cpusBefore: [0], cpus: [2], counts: [[2, 600]] })] },
    finding: /irqbalance \(5\) moves the interrupts of eth0/,
    settings: [{ knob: 'irq.affinity', value: 'first', nic: 'eth0' }],
    not: {
      'it does not run': { machine: { tuners: [] } },
      'it was told to leave it alone': {
        machine: { tuners: [IRQBALANCE], irqs: [irq(0, { cpusBefore: [0], cpus: [2], isBanned: true })] },
      },
      'they stay': { machine: { tuners: [IRQBALANCE], irqs: [irq(0)] } },
    },
  },
  {
    rule: 'irqbalance',
    about: 'an interrupt that goes to one CPU came to another as well',
    machine: { tuners: [IRQBALANCE], irqs: [irq(0, { cpus: [2], counts: ON_TWO, isBanned: false })] },
    finding: /irqbalance \(5\) moves the interrupts of eth0/,
    settings: [{ knob: 'irq.affinity', value: 'first', nic: 'eth0' }],
    not: {
      'it goes to both': {
        machine: { tuners: [IRQBALANCE], irqs: [irq(0, { cpus: [0, 2], counts: ON_TWO })] },
      },
      'only one was under way there': {
        machine: {
          tuners: [IRQBALANCE],
          irqs: [
            irq(0, {
              cpus: [2],
              counts: [
                [0, 1],
                [2, 600],
              ],
            }),
          ],
        },
      },
    },
  },
  {
    rule: 'irqs-stay',
    about: "the card's interrupts can't be moved",
    slow: WAITING,
    machine: { irqs: [irq(0, { isMovable: false }), irq(1, { isMovable: false })] },
    finding: /the interrupts of eth0 can't be moved from CPU 3/,
    settings: [{ knob: 'net.threaded_napi', value: 'all', nic: 'eth0' }],
    not: {
      'one can': { machine: { irqs: [irq(0), irq(1, { isMovable: false })] } },
      'nothing waits': { slow: {} },
      'it has none': { machine: { irqs: [] } },
    },
  },
  {
    rule: 'transmit-queue',
    about: 'replies queue',
    slow: { qdisc: 40 },
    finding: /replies wait in the queue/,
    settings: [{ knob: 'net.xps', value: 'queue', nic: 'eth0' }],
    not: { 'they do not': { slow: {} } },
  },
  {
    rule: 'transmit-queue',
    about: 'replies queue, and there is only one queue',
    slow: { qdisc: 40 },
    machine: { nic: { ...card, txQueues: [0] } },
    finding: /replies wait in the queue/,
    settings: [],
    not: {},
  },
  {
    rule: 'lazy-coalescing',
    about: 'the card waits for half a millisecond',
    machine: { rxUsecs: 500 },
    finding: /eth0 waits up to 500 µs/,
    settings: [{ knob: 'nic.coalesce', value: 'rx-frames=1,rx-usecs=0', nic: 'eth0' }],
    not: {
      'it does not wait long': { machine: { rxUsecs: 20 } },
      'it does not tell': { machine: { rxUsecs: null } },
    },
  },
  {
    rule: 'lazy-coalescing',
    about: 'and the driver would change it back',
    machine: { rxUsecs: 500, isRxAdaptive: true },
    finding: /eth0 waits up to 500 µs/,
    settings: [{ knob: 'nic.coalesce', value: 'adaptive-rx=off,rx-frames=1,rx-usecs=0', nic: 'eth0' }],
    not: {},
  },
  {
    rule: 'many-interrupts',
    about: 'an interrupt a packet',
    machine: { irqs: [irq(0, { counts: [[3, 50_000]] })] },
    document: { overheads: { ...createDocument().overheads, packets_per_interrupt: 1.1 } },
    finding: /interrupts for nearly every packet/,
    settings: [
      { knob: 'net.gro_flush_timeout', value: '20000', nic: 'eth0' },
      { knob: 'net.napi_defer_hard_irqs', value: '100', nic: 'eth0' },
    ],
    not: {
      'few of them': { machine: {} },
      'many packets each': {
        document: { overheads: { ...createDocument().overheads, packets_per_interrupt: 8 } },
      },
    },
  },
  {
    rule: 'deep-idle',
    about: 'CPUs take long to wake up',
    slow: { idle_exit: 80 },
    document: { idle_exits: [{ state: 3, requests: 100, mean_us: 80 }] },
    finding: /idle CPUs sleep deeply/,
    settings: [{ knob: 'cpu.idle_latency', value: '5' }],
    not: { 'they do not': { slow: {} }, 'they have no such states': { machine: { hasIdleStates: false } } },
  },
  {
    rule: 'slow-governor',
    about: 'busy CPUs ran at half their frequency',
    machine: { governors: ['powersave', 'powersave'], clockShare: 0.5 },
    finding: /the governor powersave has the CPUs run slower/,
    settings: [{ knob: 'cpu.governor', value: 'performance' }],
    not: {
      'they ran at the highest, whatever it is called': { machine: { governors: ['powersave'] } },
      'it is not known how fast they ran': { machine: { governors: ['powersave'], clockShare: null } },
      'it is the fastest one already': { machine: { governors: ['performance'], clockShare: 0.5 } },
    },
  },
  {
    rule: 'busy-polling',
    about: 'waking up takes the time, on idle CPUs',
    slow: { irq: 20, idle_exit: 60 },
    finding: /interrupts and waking up take the time/,
    settings: [
      { knob: 'net.busy_poll', value: '50' },
      { knob: 'net.busy_read', value: '50' },
    ],
    not: {
      'something else takes it': { slow: WAITING },
      'the CPUs are busy': { machine: { cpus: [0, 1, 2, 3].map(number => cpu(number, { busy: 0.7 })) } },
      'it is on': { machine: { busyPollUs: 50 } },
      'there is no card': { machine: { nic: loopback, irqs: [] } },
      'there are more threads than CPUs': { machine: { busyThreads: 5 } },
    },
  },
]

const find = (name: string, evidence: Evidence): Finding | null => {
  const others: Finding[] = []
  for (const rule of RULES) {
    const found = rule.find(evidence, others)
    if (rule.name === name) return found
    if (found !== null) others.push(found)
  }
  throw new Error(`there is no rule ${name}`)
}

for (const { rule, about, slow = {}, machine = {}, document = {}, finding, settings, not } of CASES) {
  test(`${rule}: ${about}`, t => {
    const found = find(rule, createEvidence(slow, machine, document))
    if (found === null) return t.fail('it has no finding')
    t.regex(found.finding, finding)
    t.deepEqual(found.settings, settings)
    const knobs = RULES.find(({ name }) => name === rule)?.knobs ?? []
    t.true(settings.every(({ knob }) => knobs.includes(knob)))
    t.true(found.evidence.length > 0)
    const gains = [found.gain?.p50 ?? 0, found.gain?.p99 ?? 0]
    t.true(
      gains.every(gain => gain >= 0 && gain < 1),
      gains.join(),
    )
    for (const [why, instead] of Object.entries(not)) {
      const evidence = createEvidence(instead.slow ?? slow, instead.machine ?? machine, {
        ...document,
        ...instead.document,
      })
      t.is(find(rule, evidence), null, why)
    }
  })
}

test('every rule has a case, and is silent where nothing is in the way', t => {
  const names = RULES.map(({ name }) => name)
  t.deepEqual([...new Set(CASES.map(({ rule }) => rule))].sort(), [...names].sort())
  t.is(new Set(names).size, names.length)
  for (const { name, find } of RULES) t.is(find(createEvidence(), []), null, name)
})

test("what the socket API costs is evidence where a rule is about it, and left out where it isn't known", t => {
  const { overheads } = createDocument()
  const known = { packet_ns: 4321, ready_to_return_us: 56.7 }
  const switches = { voluntary: 1, involuntary: 0.25 }
  const of = (parts: Partial<MeasureDocument['overheads']>) => ({ overheads: { ...overheads, ...parts } })
  const full = { cpus: fourCpus(cpu(0, { busy: 0.9, softirq: 0.7 })) }
  const cases: [rule: string, Times, Partial<MachineEvidence>, RegExp][] = [
    ['one-cpu-takes-all', { driver: 60 }, full, /a packet takes 4321 ns/],
    ['busy-polling', { irq: 20, idle_exit: 60 }, {}, /wait takes 56\.7 µs/],
    ['neighbour', WAITING, { neighbours: [hog()] }, /leave their CPU 0\.25 times a request/],
  ]
  for (const [rule, slow, machine, said] of cases) {
    const evidenceWith = (parts: Partial<MeasureDocument['overheads']>): string[] =>
      find(rule, createEvidence(slow, machine, of(parts)))?.evidence ?? []
    t.true(
      evidenceWith({ ...known, context_switches_per_request: switches }).some(line => said.test(line)),
      rule,
    )
    const without = evidenceWith({
      packet_ns: null,
      ready_to_return_us: null,
      context_switches_per_request: null,
    })
    t.true(without.length > 0 && without.every(line => !/null|4321|56\.7|0\.25/.test(line)), rule)
  }
})
