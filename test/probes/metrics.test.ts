import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import type { Counts } from '../../src/latency/counts.js'
import { STAGE_COUNT } from '../../src/latency/stages.js'
import {
  METRICS_OFFSETS,
  METRICS_SIZE,
  TAIL_ROW_OFFSETS,
  TAIL_ROW_SIZE,
} from '../../src/probes/generated/taut.js'
import { Metrics } from '../../src/probes/metrics.js'
import { arbitraryRequests, recordRequests } from '../latency/record-requests.js'

/** The memory of the kernel's map when each CPU has counted that. */
const writeMemory = (cpus: Counts[]): Uint8Array => {
  const memory = new Uint8Array(cpus.length * METRICS_SIZE)
  for (const [cpu, counts] of cpus.entries()) {
    writeMetrics(new DataView(memory.buffer, cpu * METRICS_SIZE, METRICS_SIZE), counts)
  }
  return memory
}

const writeMetrics = (view: DataView, counts: Counts): void => {
  const write = (offset: number, value: number | bigint) =>
    view.setBigUint64(offset, BigInt(value), isLittleEndian)
  const { begun, unanswered, pipelined, lost, maxNs } = counts
  write(METRICS_OFFSETS.begun, begun)
  write(METRICS_OFFSETS.unanswered, unanswered)
  write(METRICS_OFFSETS.pipelined, pipelined)
  write(METRICS_OFFSETS.unsplit, counts.unsplit)
  write(METRICS_OFFSETS.undivided, counts.undivided)
  write(METRICS_OFFSETS.begun_late, counts.begunLate)
  write(METRICS_OFFSETS.same_cpu, counts.sameCpu)
  write(METRICS_OFFSETS.lost_ringbuf_full, lost.ringbuf_full)
  write(METRICS_OFFSETS.lost_map_full, lost.map_full)
  write(METRICS_OFFSETS.lost_unmatched, lost.unmatched)
  write(METRICS_OFFSETS.lost_clock, lost.clock)
  write(METRICS_OFFSETS.max_ns, maxNs)
  for (const [index, requests] of counts.stages.flatMap(stage => [...stage]).entries()) {
    write(METRICS_OFFSETS.stage_requests + 8 * index, requests)
  }
  for (const [bucket, requests] of counts.tailRequests.entries()) {
    const row = METRICS_OFFSETS.tail + bucket * TAIL_ROW_SIZE
    write(row + TAIL_ROW_OFFSETS.requests, requests)
    write(row + TAIL_ROW_OFFSETS.shallow, counts.shallowRequests[bucket] ?? 0)
    write(row + TAIL_ROW_OFFSETS.total_ns, counts.totalNs[bucket] ?? 0n)
    for (let stage = 0; stage < STAGE_COUNT; stage++) {
      const sum = counts.tailStageNs[bucket * STAGE_COUNT + stage] ?? 0n
      write(row + TAIL_ROW_OFFSETS.stage_ns + 8 * stage, sum)
    }
  }
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

test('the CPUs of a stream together give the counts of the stream', t => {
  fc.assert(
    fc.property(arbitraryRequests, fc.nat(60), (requests, at) => {
      const cpus = [recordRequests(requests.slice(0, at)), recordRequests(requests.slice(at))]
      const metrics = new Metrics(writeMemory(cpus), cpus.length)
      const stream = recordRequests(requests)
      // Counts are too large for ava's own comparison, which keeps every cell for a message.
      t.true(isDeepStrictEqual(metrics.read(), stream))
      t.true(isDeepStrictEqual(metrics.readTotals(), stream.tailRequests))
    }),
    { numRuns: 20 },
  )
})

test('every counter is added up, with more than 32 bits', t => {
  const large = 2 ** 40
  const one: Counts = {
    ...recordRequests([]),
    begun: large + 1,
    unanswered: large + 2,
    pipelined: large + 3,
    unsplit: large + 7,
    undivided: large + 10,
    begunLate: large + 11,
    sameCpu: large + 4,
    lost: {
      ringbuf_full: large + 7,
      map_full: large + 8,
      unmatched: large + 11,
      clock: large + 9,
      recursion: 0,
    },
    maxNs: BigInt(large),
  }
  const counts = new Metrics(writeMemory([one, { ...one, maxNs: 1n }, recordRequests([])]), 3).read()
  t.is(counts.begun, 2 * one.begun)
  t.is(counts.unanswered, 2 * one.unanswered)
  t.is(counts.pipelined, 2 * one.pipelined)
  t.is(counts.unsplit, 2 * one.unsplit)
  t.is(counts.undivided, 2 * one.undivided)
  t.is(counts.begunLate, 2 * one.begunLate)
  t.is(counts.sameCpu, 2 * one.sameCpu)
  t.deepEqual(counts.lost, {
    ringbuf_full: 2 * one.lost.ringbuf_full,
    map_full: 2 * one.lost.map_full,
    unmatched: 2 * one.lost.unmatched,
    clock: 2 * one.lost.clock,
    recursion: 0,
  })
  t.is(counts.maxNs, one.maxNs)
})

test('memory of another layout is refused', t => {
  t.throws(() => new Metrics(new Uint8Array(METRICS_SIZE), 2), { message: /not built together/ })
})
