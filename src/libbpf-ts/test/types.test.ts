import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import type {
  AttachProbe,
  Batch,
  BpfError,
  BpfMap,
  BpfObject,
  BtfValue,
  Iter,
  Link,
  Program,
  RawEntries,
  RingBuffer,
  Value,
  Variable,
} from '../lib/index.js'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Fails to compile unless the two types are the same. */
const same = <A, B>(..._proof: Equal<A, B> extends true ? [] : [never]): void => {}

/** Never called: the compiler is the test. */
export const assertions = (
  object: BpfObject,
  program: Program,
  ring: RingBuffer,
  error: BpfError,
  open: typeof BpfObject.open,
): void => {
  same<ReturnType<BpfObject['load']>, BpfObject>()
  same<typeof object.programs, ReadonlyMap<string, Program>>()
  same<typeof object.maps, ReadonlyMap<string, BpfMap>>()

  const plain = object.map('name')
  same<typeof plain, BpfMap<Value, Value>>()
  const typed = object.map<number, { calls: bigint }>('name')
  same<ReturnType<typeof typed.get>, { calls: bigint } | undefined>()
  same<ReturnType<typeof typed.readAll>, RawEntries>()
  for (const [key, value] of typed) {
    same<typeof key, number>()
    same<typeof value, { calls: bigint }>()
  }

  typed.set(1, { calls: 2n }, 'create')
  // @ts-expect-error The key is a number.
  typed.set('1', { calls: 2n })
  // @ts-expect-error 64 bits are a bigint.
  typed.set(1, { calls: 2 })
  // @ts-expect-error There is no such mode.
  typed.set(1, { calls: 2n }, 'sometimes')

  same<ReturnType<Variable['get']>, BtfValue>()
  same<ReturnType<Variable<bigint>['get']>, bigint>()
  // @ts-expect-error The variable is a bigint.
  object.variable<bigint>('name').set(5)
  // @ts-expect-error Read-only.
  object.variable('name').readOnly = true

  same<ReturnType<Program['attach']>, Link>()
  same<ReturnType<Program['attachIter']>, Iter>()
  same<typeof program.fd, number | undefined>()
  program.attachUprobe({ binary: 'libc.so.6', symbol: 'getuid' })
  // @ts-expect-error A binary is needed.
  program.attachUprobe({ symbol: 'getuid' })
  // @ts-expect-error There is no such direction.
  program.attachTc({ interface: 'lo', direction: 'both' })
  // @ts-expect-error There is no such kind of event.
  program.attachPerfEvent({ type: 'nope', config: 0 })
  // @ts-expect-error There is no such option.
  open('x', { nope: 1 })

  ring.onBatch(batch => same<typeof batch, Batch>())
  same<Parameters<Batch['record']>, [index: number]>()
  const iterator = ring[Symbol.asyncIterator]()
  same<Awaited<ReturnType<typeof iterator.next>>, IteratorResult<Batch, undefined>>()

  same<typeof error.code, string>()
  same<typeof error.log, string | undefined>()
  same<AttachProbe['attachable'], boolean>()
}

test('the public types have no any', t => {
  const folder = new URL('../lib/', import.meta.url)
  const files = readdirSync(folder, { recursive: true }).map(String)
  const declarations = files.filter(file => file.endsWith('.d.ts'))
  t.true(declarations.length > 10)
  for (const file of declarations) {
    const code = readFileSync(new URL(file, folder), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    // A mode of an update is called so, in quotes.
    t.notRegex(code.replaceAll(/'[^']*'/g, ''), /\bany\b/, file)
  }
})
