// Reads the same records with this package and with libbpf's reader in C, in turns, and prints the ratio of the rates.
// Two ways: "live", while a thread elsewhere writes them as fast as it can; "drain", when all of them are there
// already, so that nothing but the reader counts. Needs root. With --json, one JSON document.
import { type Batch, BpfObject, RingBuffer } from '../lib/index.js'
import { compileObject } from '../test/helpers/objects.js'
import { compileProgram, readerCpu, startAnswerer, stayOnReaderCpu, writerCpu } from './process.js'
import { estimateRatio, median } from './ratio.js'

const burst = 2000
const calls = 100
const records = burst * calls
const recordBytes = 64 // of records.bpf.c
const pairs = 30
/** Of the rate of libbpf's reader in C, while records are written. */
const leastRatio = 0.8

interface Round {
  readonly perSecond: number
  readonly sum: bigint
}

type Mode = 'live' | 'drain'

const path = compileObject('records')
const readerPath = compileProgram('reader')
const writerPath = compileProgram('writer')
const getuidCall = process.arch === 'x64' ? 102n : process.arch === 'arm64' ? 174n : 199n

/** Counts the records of batches, and sums their numbers in halves that stay exact. */
const createTally = () => {
  let count = 0
  let sum = 0n
  const add = (batch: Batch) => {
    const words = new Uint32Array(batch.buffer)
    const { offsets, count: length } = batch
    let low = 0
    let high = 0
    for (let index = 0; index < length; index++) {
      const at = (offsets[index] as number) >> 2
      low += words[at] as number
      high += words[at + 1] as number
    }

    count += length
    sum += BigInt(low) + (BigInt(high) << 32n)
  }

  return { add, count: () => count, sum: () => sum }
}

const createRound = (sum: bigint, begin: bigint, end: bigint): Round => ({
  perSecond: (records / Number(end - begin)) * 1e9,
  sum,
})

const checkCount = (who: string, count: number) => {
  if (count !== records) {
    throw new Error(`${who} read ${count} records of ${records}`)
  }
}

const callGetuid = () => {
  for (let call = 0; call < calls; call++) {
    process.getuid?.()
  }
}

const startNode = (mode: Mode) => {
  const writer = startAnswerer(writerCpu, writerPath, [String(calls)])
  const object = BpfObject.open(path)
  object.variable('wanted_tid').set(mode === 'live' ? writer.pid : process.pid)
  object.variable('wanted_call').set(getuidCall)
  object.variable('burst').set(burst)
  object.load()
  const ring = new RingBuffer(object.map('ring'))
  object.program('write_records').attach()
  const round = async (): Promise<Round> => {
    const tally = createTally()
    if (mode === 'live') {
      writer.ask()
      for await (const batch of ring) {
        tally.add(batch)
        if (tally.count() >= records) {
          break
        }
      }

      const end = process.hrtime.bigint()
      checkCount('libbpf-ts', tally.count())
      return createRound(tally.sum(), BigInt(await writer.read()), end)
    }

    callGetuid()
    const begin = process.hrtime.bigint()
    for (let batch = ring.drain(); batch !== undefined; batch = ring.drain()) {
      tally.add(batch)
    }

    const end = process.hrtime.bigint()
    checkCount('libbpf-ts', tally.count())
    return createRound(tally.sum(), begin, end)
  }

  const close = () => {
    ring.close()
    object.close()
    writer[Symbol.dispose]()
  }

  return { round, [Symbol.dispose]: close }
}

const startC = async (mode: Mode) => {
  const writer = startAnswerer(writerCpu, writerPath, [String(calls)])
  const reader = startAnswerer(
    readerCpu,
    readerPath,
    [path, burst, calls, mode === 'live' ? writer.pid : 0].map(String),
  )
  await reader.read()
  const round = async (): Promise<Round> => {
    reader.ask()
    if (mode === 'live') {
      writer.ask()
    }

    const [count = 0n, sum = 0n, begin = 0n, end = 0n] = (await reader.read()).split(' ').map(BigInt)
    checkCount('the reader in C', Number(count))
    return createRound(sum, mode === 'live' ? BigInt(await writer.read()) : begin, end)
  }

  const close = () => {
    reader[Symbol.dispose]()
    writer[Symbol.dispose]()
  }

  return { round, [Symbol.dispose]: close }
}

const compare = async (mode: Mode) => {
  using node = startNode(mode)
  using c = await startC(mode)
  const rates: Record<'node' | 'c', number[]> = { node: [], c: [] }
  // The first pairs warm up the caches and the compiler.
  for (let pair = -5; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? [node, c] : [c, node]
    const rounds = new Map<unknown, Round>()
    for (const one of order) {
      rounds.set(one, await one.round())
    }

    const [ours, theirs] = [rounds.get(node), rounds.get(c)]
    if (ours === undefined || theirs === undefined || ours.sum !== theirs.sum) {
      throw new Error(`the readers saw different records: ${ours?.sum} and ${theirs?.sum}`)
    }

    if (pair >= 0) {
      rates.node.push(ours.perSecond)
      rates.c.push(theirs.perSecond)
    }
  }

  return {
    mode,
    node_records_per_second: Math.round(median(rates.node)),
    c_records_per_second: Math.round(median(rates.c)),
    ratio: estimateRatio(rates.node.map((rate, index) => rate / (rates.c[index] ?? Number.NaN))),
  }
}

stayOnReaderCpu()
const results = [await compare('live'), await compare('drain')]
if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ name: 'ringbuf', pairs, records, record_bytes: recordBytes, results }))
} else {
  console.log(`ring buffer, ${pairs} pairs of ${records} records of ${recordBytes} bytes`)
  for (const { mode, node_records_per_second, c_records_per_second, ratio } of results) {
    const rate = (perSecond: number) => `${(perSecond / 1e6).toFixed(1)} M/s`
    const interval = `${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}`
    console.log(
      `${mode.padEnd(6)} libbpf-ts ${rate(node_records_per_second)}, C ${rate(c_records_per_second)}, ` +
        `ratio ${ratio.estimate.toFixed(2)} (95 %: ${interval})`,
    )
    if (mode === 'live') {
      const isMet = ratio.estimate >= leastRatio
      console.log(`       at least ${leastRatio} of the rate in C: ${isMet ? 'met' : 'NOT MET'}`)
    }
  }
}
