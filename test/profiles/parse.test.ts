import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { KNOBS } from '../../src/knobs/all.js'
import { Unavailable } from '../../src/knobs/knob.js'
import { listProfileNames, loadProfile } from '../../src/profiles/find.js'
import { ProfileError, parseProfile } from '../../src/profiles/parse.js'
import { explainUnmet } from '../../src/profiles/when.js'
import type { Nic } from '../../src/system/nics.js'
import type { Service } from '../../src/system/services.js'

const SHIPPED = [
  'energy-saver',
  'hpe-el1000',
  'hpe-gl20',
  'isolated-irq',
  'low-latency',
  'raspberry-pi-3b-plus',
  'raspberry-pi-4',
  'raspberry-pi-5',
  'steering',
  'throughput',
  'tinker-board',
  'virtual-machine',
]

const readShipped = (name: string): string =>
  readFileSync(new URL(`../../../tuning-profiles/${name}.yaml`, import.meta.url), 'utf8')

test('all profiles that come with taut are valid', t => {
  for (const name of SHIPPED) {
    t.true(listProfileNames().includes(name))
    t.is(loadProfile(name).name, name)
  }
})

test('the knobs understand every value of the profiles that come with taut', async t => {
  const nic: Nic = {
    name: 'lo',
    driver: null,
    isPhysical: false,
    isUp: true,
    node: null,
    rxQueues: [0],
    txQueues: [0],
    // No machine has it: that it is moved is what is known of it.
    irqs: [{ irq: 900_000, name: 'lo', queue: null, direction: null }],
    rxPackets: 0,
    txPackets: 0,
    speedMbps: null,
  }
  const service: Service = {
    port: 11211,
    protocol: 'tcp',
    addresses: [],
    netns: 0,
    pids: [process.pid],
    pid: process.pid,
    comm: 'node',
  }
  const moves = new Map([[900_000, [0]]])
  const selection = { online: [0, 1, 2, 3], nics: [nic], cpus: null, service, moves, before: [] }
  for (const { name, settings } of SHIPPED.map(loadProfile)) {
    for (const { knob, value } of settings) {
      const error: unknown = await KNOBS[knob].plan(String(value), selection).then(
        () => null,
        reason => reason,
      )
      // Whatever this machine lacks, the values are good.
      t.true(error === null || error instanceof Unavailable, `${name}, ${knob}: ${error}`)
    }
  }
})

/** What drivers that choose the frequency themselves allow (Documentation/admin-guide/pm/intel_pstate.rst). */
const createDriver = (governor: string, preference: string) => {
  const state: Record<string, string> = { 'cpu.governor': governor, 'cpu.epp': preference }
  let saved = preference
  return {
    state,
    write: (knob: string, value: string): void => {
      const isFast = (): boolean => state['cpu.governor'] === 'performance'
      if (knob === 'cpu.epp') {
        if (isFast() && value !== 'performance') throw new Error('EBUSY')
        saved = value
      } else state[knob] = value
      state['cpu.epp'] = isFast() ? 'performance' : saved
    },
  }
}

test('profiles set the governor and the preference in an order that drivers take, there and back', t => {
  for (const { name, settings } of SHIPPED.map(loadProfile)) {
    for (const [governor, preference] of [
      ['performance', 'performance'],
      ['powersave', 'balance_performance'],
    ] as const) {
      const { state, write } = createDriver(governor, preference)
      const before = { ...state }
      const isTheirs = ({ knob }: { knob: string }): boolean => knob in state
      const made = settings.filter(isTheirs).map(({ knob, value }) => {
        // As apply plans it, before anything is written.
        const from = before[knob] ?? ''
        return { knob, from, to: String(value) }
      })
      t.notThrows(() => {
        for (const { knob, to } of made) write(knob, to)
      }, `${name}, from ${governor}`)
      for (const { knob, to } of made) t.is(state[knob], to, name)
      t.notThrows(() => {
        for (const { knob, from } of made.toReversed()) write(knob, from)
      }, `${name}, back to ${governor}`)
      t.deepEqual(state, before, name)
    }
  }
})

const problemsOf = (text: string): readonly string[] => {
  try {
    parseProfile(text, 'a.yaml')
    return []
  } catch (error) {
    if (error instanceof ProfileError) return error.problems
    throw error
  }
}

const GOOD = `version: 1
name: a
about: An example.
settings:
  - knob: vm.thp
    value: never
    why: It helps.
`

test('what is wrong is said with its line and a remedy', t => {
  t.deepEqual(problemsOf(GOOD), [])
  const cases: [string, string, RegExp][] = [
    ['vm.thp', 'vm.tph', /^a\.yaml:5: there is no knob "vm\.tph" \(try one of irq\.affinity, /],
    ['    why: It helps.\n', '', /^a\.yaml:5: settings\.0\.why is missing \(try a line 'why: …'\)/],
    ['version: 1', 'version: 2', /^a\.yaml:1: version: .*\(try 1\)/],
    ['about:', 'abuot: x\nabout:', /^a\.yaml:3: abuot is not known \(try to leave it out/],
    ['about: An', 'about: &a An', /^$/],
    ['It helps.', '"a\\u001b[31m"', /^a\.yaml:7: settings\.0\.why: .*control characters/],
    ['value: never', 'value: [never]', /^a\.yaml:6: settings\.0\.value: /],
    ['name: a', 'name: a\nname: b', /^a\.yaml:3: .*unique/],
    ['about: An example.', 'about: !!js/function x', /^a\.yaml:3: .*tag/],
    ['settings:', '  settings:', /^a\.yaml:\d+: /],
    ['vm.thp\n    value: never', 'cpu.governor\n    value: performance\n    cpus: not-irq', /^$/],
    ['vm.thp\n    value: never', 'cpu.governor\n    value: performance\n    cpus: 1-2,5', /^$/],
    ['value: never', 'value: never\n    cpus: not-irqs', /^a\.yaml:7: settings\.0\.cpus: .*not-irq/],
    ['value: never', 'value: never\n    cpus: 0', /^a\.yaml:7: settings\.0\.cpus: vm\.thp has no use for it/],
    [
      'value: never',
      'value: never\n    nic: eth0',
      /^a\.yaml:7: settings\.0\.nic: vm\.thp has no use for it/,
    ],
    ['vm.thp\n    value: never', 'cpu.app_affinity\n    value: not-irq\n    nic: eth0', /^$/],
    ['value: never', 'value: nevermore', /^a\.yaml:6: settings\.0\.value: 'nevermore' .*madvise/],
    ['vm.thp\n    value: never', 'net.busy_poll\n    value: 5000000', /^a\.yaml:6: .*0 to 10000/],
    [
      'vm.thp\n    value: never',
      'nic.coalesce\n    value: rx-usecs=0,rx-frames=0',
      /^a\.yaml:6: .*no interrupt/,
    ],
  ]
  for (const [from, to, expected] of cases) {
    const problems = problemsOf(GOOD.replace(from, to))
    if (expected.source === '^$') t.deepEqual(problems, [])
    else
      t.true(
        problems.some(problem => expected.test(problem)),
        `${to}: ${problems.join('\n')}`,
      )
  }
})

test('aliases, of which a few lines can be gigabytes, are refused', t => {
  const text = GOOD.replace('value: never', 'value: &x never').replace('why: It helps.', 'why: *x')
  t.regex(problemsOf(text).join('\n'), /^a\.yaml:\d+: .*alias/i)
})

test('whatever the text, it is a profile or what is wrong with it is said', t => {
  const bytes = Buffer.from(readShipped('low-latency'))
  const cut = fc.nat(bytes.length).map(length => bytes.subarray(0, length))
  const flip = fc.array(fc.nat(bytes.length * 8 - 1), { minLength: 1, maxLength: 5 }).map(bits => {
    const flipped = Buffer.from(bytes)
    for (const bit of bits) flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return flipped
  })
  const any = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
  fc.assert(
    fc.property(fc.oneof(cut, flip, any), text => {
      for (const problem of problemsOf(text.toString('utf8'))) t.regex(problem, /^a\.yaml:\d+: ./)
    }),
    { numRuns: 500 },
  )
})

test('what a machine lacks for a profile is said', t => {
  const facts = {
    cpus: 1,
    isVirtual: true,
    board: 'Raspberry Pi 5',
    architecture: 'aarch64',
    drivers: ['macb'],
  }
  t.deepEqual(explainUnmet(undefined, facts), [])
  t.deepEqual(
    explainUnmet({ cpus: { min: 1, max: 1 }, virtual: true, board: 'pi 5', driver: ['macb'] }, facts),
    [],
  )
  t.is(
    explainUnmet(
      { cpus: { min: 2 }, virtual: false, board: 'Pi 4', architecture: ['x86_64'], driver: ['igb'] },
      facts,
    ).length,
    5,
  )
})
