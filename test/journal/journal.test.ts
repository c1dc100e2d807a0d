import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import type { Entry } from '../../src/journal/entry.js'
import { JournalError, readJournal, writeJournal } from '../../src/journal/journal.js'
import { openStateFolder, type StateFolder } from '../../src/journal/state-folder.js'

const openFolder = (t: ExecutionContext): StateFolder => {
  const name = mkdtempSync(join(tmpdir(), 'taut-journal-'))
  t.teardown(() => rmSync(name, { recursive: true }))
  const folder = openStateFolder(name)
  t.teardown(() => folder[Symbol.dispose]())
  return folder
}

const pathIn = (folder: StateFolder): string => join(folder.name, 'journal.json')

const arbitraryPlace: fc.Arbitrary<Entry['place']> = fc.oneof(
  fc.record({ kind: fc.constant('irqbalance' as const), irq: fc.integer({ min: 1, max: 4095 }) }),
  fc.constant({ kind: 'latency' as const }),
  fc.record({
    kind: fc.constant('offload' as const),
    nic: fc.constantFrom('eth0', 'wlan0'),
    parameter: fc.constant('gro' as const),
  }),
  fc.integer({ min: 0, max: 999 }).map(irq => ({
    kind: 'file' as const,
    path: `/proc/irq/${irq}/smp_affinity_list`,
    form: 'list' as const,
  })),
)

const VALUES = {
  irqbalance: ['banned', 'balanced'],
  latency: ['20', 'not held'],
  offload: ['on', 'off'],
  file: ['0', '0-3,5'],
}

const arbitraryEntry: fc.Arbitrary<Entry> = arbitraryPlace.chain(place => {
  const value = fc.constantFrom(...VALUES[place.kind as keyof typeof VALUES])
  return fc.record({
    id: fc.integer({ min: 1, max: 2 ** 31 }),
    knob: fc.constantFrom('irq.affinity', 'nic.offload.gro'),
    place: fc.constant(place),
    netns: fc.option(fc.nat()),
    ifindex: fc.nat(),
    from: value,
    to: value,
    why: fc.stringMatching(/^[ -~]{0,80}$/),
    profile: fc.option(fc.constantFrom('low-latency', 'steering')),
    at: fc.constant('2026-01-01T00:00:00.000Z'),
    boot: fc.uuid(),
    ticks: fc.nat(),
    kept: fc.boolean(),
    state: fc.constantFrom('planned', 'written', 'verified', 'no-effect'),
  })
})

const arbitraryEntries = fc.array(arbitraryEntry, { maxLength: 12 })

test('what was written is read, whatever it is', t => {
  const folder = openFolder(t)
  fc.assert(
    fc.property(arbitraryEntries, entries => {
      writeJournal(folder, entries)
      t.deepEqual(readJournal(folder), entries)
    }),
  )
})

test('a journal with any byte changed, or cut anywhere, is refused whole', t => {
  const folder = openFolder(t)
  fc.assert(
    fc.property(
      fc.array(arbitraryEntry, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (entries, at, flip) => {
        writeJournal(folder, entries)
        const whole = readFileSync(pathIn(folder))
        // The line break at its end is no part of it.
        const position = at % (whole.length - 1)
        const changed = Buffer.from(whole)
        changed[position] = (changed[position] ?? 0) ^ flip
        writeFileSync(pathIn(folder), changed)
        assertRefused(t, folder, entries)
        writeFileSync(pathIn(folder), whole)
        truncateSync(pathIn(folder), position)
        t.throws(() => readJournal(folder), { instanceOf: JournalError })
      },
    ),
    { numRuns: 300 },
  )
})

/** A changed byte may change nothing that is read, as a small letter of a checksum in hexadecimal that becomes a large one. */
const assertRefused = (t: ExecutionContext, folder: StateFolder, entries: readonly Entry[]): void => {
  try {
    t.deepEqual(readJournal(folder), entries)
  } catch (error) {
    t.true(error instanceof JournalError, String(error))
  }
}

/** What somebody who knows how the checksum is made might write. */
const forge = (folder: StateFolder, entries: unknown): void => {
  const sha256 = createHash('sha256').update(JSON.stringify(entries)).digest('hex')
  writeFileSync(pathIn(folder), JSON.stringify({ schema: 1, sha256, entries }), { mode: 0o600 })
}

test('a forged journal, its checksum right, is refused where a field is not what it must be', t => {
  const folder = openFolder(t)
  fc.assert(
    fc.property(
      arbitraryEntry,
      fc.constantFrom(
        'id',
        'knob',
        'place',
        'netns',
        'ifindex',
        'from',
        'to',
        'why',
        'profile',
        'at',
        'boot',
        'ticks',
        'kept',
        'state',
      ),
      fc.oneof(fc.anything({ maxDepth: 3 }), fc.string(), fc.integer()),
      (entry, field, value) => {
        forge(folder, [{ ...entry, [field]: value }])
        try {
          // What passes is what taut could have written itself: writing it again changes nothing.
          const read = readJournal(folder)
          writeJournal(folder, read)
          t.deepEqual(readJournal(folder), read)
        } catch (error) {
          t.true(error instanceof JournalError, String(error))
        }
      },
    ),
    { numRuns: 1000 },
  )
})

const ENTRY: Entry = {
  id: 1,
  knob: 'irq.affinity',
  place: { kind: 'file', path: '/proc/irq/24/smp_affinity_list', form: 'list' },
  netns: null,
  from: '0',
  to: '1',
  why: 'a test',
  profile: null,
  at: '2026-01-01T00:00:00.000Z',
  boot: '00000000-0000-4000-8000-000000000000',
  kept: true,
  state: 'written',
}

for (const [name, change] of Object.entries<Record<string, unknown>>({
  'a file that is no setting': { place: { kind: 'file', path: '/etc/passwd', form: 'list' } },
  'a path that climbs': { place: { kind: 'file', path: '/proc/irq/../../etc/passwd', form: 'list' } },
  'a value with a line break': { from: '0\n1' },
  'a value of another kind of place': { from: 'not held' },
  'a device that is an option of ethtool': {
    place: { kind: 'offload', nic: '--help', parameter: 'gro' },
    from: 'on',
    to: 'off',
  },
  'an interrupt that is none': { place: { kind: 'irqbalance', irq: -1 }, from: 'balanced', to: 'banned' },
  'a field too many': { command: 'reboot' },
  'a terminal escape in the reason': { why: 'a\u001b]0;b\u0007' },
  'a boot that is none': { boot: 'yesterday' },
  'a reason of absurd length': { why: 'a'.repeat(2 ** 16) },
})) {
  test(`a forged journal, its checksum right, is refused: ${name}`, t => {
    const folder = openFolder(t)
    forge(folder, [ENTRY])
    t.deepEqual(readJournal(folder), [ENTRY])
    forge(folder, [{ ...ENTRY, ...change }])
    t.throws(() => readJournal(folder), { instanceOf: JournalError })
    forge(folder, [ENTRY, { ...ENTRY, ...change }])
    t.throws(() => readJournal(folder), { instanceOf: JournalError }, 'nor is the rest obeyed')
  })
}

test('a journal of absurd size, or nested absurdly, is refused', t => {
  const folder = openFolder(t)
  writeFileSync(pathIn(folder), Buffer.alloc((4 << 20) + 1, ' '), { mode: 0o600 })
  t.throws(() => readJournal(folder), { instanceOf: JournalError, message: /too large/ })
  writeFileSync(pathIn(folder), '['.repeat(1 << 20) + ']'.repeat(1 << 20))
  t.throws(() => readJournal(folder), { instanceOf: JournalError })
  forge(
    folder,
    Array.from({ length: 10_001 }, () => ({})),
  )
  t.throws(() => readJournal(folder), { instanceOf: JournalError })
})

test('what could not be read again is not written, and the old journal stays', t => {
  const folder = openFolder(t)
  const full = { message: /no room for more changes \(try: taut revert --all\)/ }
  writeJournal(folder, [ENTRY])
  const many = Array.from({ length: 10_001 }, () => ENTRY)
  t.throws(() => writeJournal(folder, many), full)
  // Fewer, but of more than four megabytes.
  const large = Array.from({ length: 2500 }, () => ({ ...ENTRY, why: 'a'.repeat(2000) }))
  t.throws(() => writeJournal(folder, large), full)
  t.deepEqual(readJournal(folder), [ENTRY])
  writeJournal(folder, many.slice(1))
  t.is(readJournal(folder).length, 10_000)
})

test('a link in the place of the journal, or of its draft, is not followed', t => {
  const folder = openFolder(t)
  const victim = join(folder.name, 'victim')
  writeFileSync(victim, 'mine')
  symlinkSync(victim, `${pathIn(folder)}.new`)
  writeJournal(folder, [ENTRY])
  t.is(readFileSync(victim, 'utf8'), 'mine')
  rmSync(pathIn(folder))
  symlinkSync(victim, pathIn(folder))
  t.throws(() => readJournal(folder), { instanceOf: JournalError, message: /a link/ })
})
