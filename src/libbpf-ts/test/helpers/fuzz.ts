// Run as a process of its own: calls the addon with arguments that it does not expect, over and over, and has what it lets go of
// collected meanwhile. Arguments: seed, calls, and the paths of objects to open. Fails when anything is thrown that does not
// tell what is wrong; a crash shows by itself.
import { setImmediate } from 'node:timers/promises'
import { BpfError } from '../../lib/error.js'
import { native } from '../../lib/native.js'

const [seed = 0, calls = 0] = process.argv.slice(2, 4).map(Number)
const paths = process.argv.slice(4)

/** Mulberry32. */
let state = seed
const random = (): number => {
  state = (state + 0x6d2b79f5) | 0
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T

const detached = () => {
  const bytes = new Uint8Array(8)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

const trap = new Error('trap')

const simple: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  1,
  2,
  3,
  5,
  7,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 31) - 1,
  0n,
  1n,
  -1n,
  2n ** 64n,
  '',
  'x',
  'sched_switch',
  'sched',
  'a\0b',
  'x'.repeat(300),
  'x'.repeat(10_000),
  '/proc/self/nonexistent',
  '\ud800',
  Symbol('symbol'),
  {},
  [],
  [1, 'x', null],
  new Proxy([], {
    get: () => {
      throw trap
    },
  }),
  () => {},
  new Date(),
  new DataView(new ArrayBuffer(8)),
  new ArrayBuffer(8),
  new Float64Array(2),
  new Uint32Array(0),
  new Uint32Array(1),
  new Uint32Array(100),
  new Uint8Array(new SharedArrayBuffer(16)),
]

const handles: unknown[] = []
const links: unknown[] = []
const rings: unknown[] = []
const KEPT = 60
/** Calls between two collections, with a turn of the event loop for what they free and for rings that were started. */
const CALLS_A_TURN = 50

const makeBytes = () => new Uint8Array(pick([0, 1, 3, 4, 5, 8, 12, 16, 17, 32, 64, 4096, 100_000]))

const makeArgument = (): unknown => {
  const kind = random()
  if (kind < 0.35 && handles.length > 0) {
    return pick(handles)
  }

  if (kind < 0.5) {
    return makeBytes()
  }

  if (kind < 0.53) {
    return detached()
  }

  if (kind < 0.56) {
    return Array.from({ length: pick([1, 2, 5]) }, () => pick(random() < 0.5 ? handles : simple))
  }

  return pick(simple)
}

const isHandle = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null

// Whoever replaces the factory of errors gets what they ask for.
const functions = Object.entries(native).filter(
  (entry): entry is [string, (...args: unknown[]) => unknown] =>
    typeof entry[1] === 'function' && entry[0] !== 'setErrorFactory',
)

const open = () => {
  const handle = native.objectOpen(pick(paths), undefined, undefined)
  handles.push(handle)
  if (random() < 0.8) {
    try {
      native.objectLoad(handle)
    } catch {}
  }

  return handle
}

/** What functions of that name take first. */
const pickFirst = (name: string): unknown => {
  if (/^(?:link[DIPU]|iterRead)/.test(name)) {
    return pick(links)
  }

  return name.startsWith('ring') && name !== 'ringOpen' ? pick(rings) : object
}

const keep = (name: string, handle: unknown) => {
  handles.push(handle)
  if (name.startsWith('attach')) {
    links.push(handle)
  } else if (name === 'ringOpen') {
    rings.push(handle)
  }
}

let object = open()

const withElement = (make: (sizes: { keySize: number; valueStride: number }) => unknown[]): unknown[] => {
  const map = Math.floor(random() * 4)
  return [object, map, ...make(native.mapDescribe(object, map))]
}

/** Arguments that fit, for functions which chance gives too few of. */
const whatFits: Readonly<Record<string, () => unknown[]>> = {
  attach: () => [object, Math.floor(random() * 2)],
  attachRawTracepoint: () => [object, Math.floor(random() * 2), 'sched_switch'],
  mapDelete: () => withElement(({ keySize }) => [new Uint8Array(keySize)]),
  mapGet: () =>
    withElement(({ keySize, valueStride }) => [new Uint8Array(keySize), new Uint8Array(valueStride)]),
  mapSet: () =>
    withElement(({ keySize, valueStride }) => [new Uint8Array(keySize), new Uint8Array(valueStride), 0]),
  mapSetMaxEntries: () => [native.objectOpen(pick(paths), undefined, undefined), 0, 1],
  ringDrain: () => [pick(rings), 0, makeBytes(), new Uint32Array(pick([0, 1, 2, 100]))],
  ringOpen: () => [[object, object], [Math.floor(random() * 2), 0], () => {}],
  ringRef: () => [pick(rings), random() < 0.5],
  ringUnread: () => [pick(rings), 0],
}

/** What the addon throws of its own; all else is N-API's or the engine's, for what the addon did not look at. */
const CODES = [
  'ERR_INVALID_ARG_TYPE',
  'ERR_OUT_OF_RANGE',
  'ERR_CLOSED',
  'ERR_NOT_LOADED',
  'ERR_ALREADY_LOADED',
]

/** Is it about an argument, or the state of what is used, or the kernel's or libbpf's refusal, or what an argument threw? */
const tellsWhy = (error: unknown): boolean =>
  error === trap ||
  error instanceof BpfError ||
  (error instanceof Error && 'code' in error && CODES.includes(String(error.code)) && error.message !== '')

const wrong: string[] = []
const worked = new Set<string>()
for (let call = 0; call < calls; call++) {
  if (random() < 0.02) {
    object = open()
  }

  // Keeps some closed ones, and lets the collector have the others.
  for (const kept of [handles, links, rings]) {
    if (kept.length > KEPT) {
      kept.splice(0, KEPT / 2)
    }
  }

  if (call % CALLS_A_TURN === 0) {
    globalThis.gc?.()
    await setImmediate()
  }

  const [name, use] = pick(functions)
  if (name === 'closeHandle' && random() < 0.8) {
    continue
  }

  const args = Array.from({ length: Math.floor(random() * 9) }, makeArgument)
  // Often the first arguments are right, or nothing would get past their checks.
  if (random() < 0.8) {
    args[0] = random() < 0.7 ? pickFirst(name) : pick(handles)
    args[1] = random() < 0.9 ? Math.floor(random() * 12) : args[1]
  }

  try {
    if (random() < 0.5) {
      const right = whatFits[name]?.() ?? []
      args.splice(0, right.length, ...right)
    }

    const result = use(...args)
    worked.add(name)
    if (isHandle(result)) {
      keep(name, result)
    }
  } catch (error) {
    if (!tellsWhy(error)) {
      wrong.push(`${name}: threw ${String(error)}`)
    }
  }
}

console.log(`${calls} calls of ${functions.length} functions`)
console.log(`worked: ${[...worked].sort().join(' ')}`)
console.log(wrong.slice(0, 10).join('\n'))
process.exit(wrong.length === 0 ? 0 : 1)
