import { type Counts, emptyCounts, IDLE_STATES, MATRIX_CPUS } from '../latency/counts.js'
import { BUCKETS } from '../latency/histogram.js'
import { STAGE_COUNT, STAGES, type StageName } from '../latency/stages.js'
import { METRICS_OFFSETS, METRICS_SIZE, TAIL_ROW_OFFSETS, TAIL_ROW_SIZE } from './generated/taut.js'

const WORD = 8
const TAIL = METRICS_OFFSETS.tail / WORD
const ROW = TAIL_ROW_SIZE / WORD
const SHALLOW = TAIL_ROW_OFFSETS.shallow / WORD
const TOTAL_NS = TAIL_ROW_OFFSETS.total_ns / WORD
const STAGE_SUMS = TAIL_ROW_OFFSETS.stage_ns / WORD

/** A metric that is one number. */
export type CountName = Exclude<
  keyof typeof METRICS_OFFSETS,
  'stage_requests' | 'tail' | 'from_cpu' | 'steered_from' | 'idle_exits' | 'idle_exit_ns'
>

/**
 * The metrics of every CPU as the kernel's programs write them, through a mapping of their map: reading takes no
 * system call, and may fall between two additions of one request while the programs are attached.
 */
export class Metrics {
  /** Counts, which stay below 2^53, are read as two halves: a bigint for each would be garbage to collect. */
  readonly #halves: Uint32Array
  readonly #words: BigUint64Array
  readonly #cpus: number

  /** Takes the map's memory; throws an Error when its layout is not the one this code was built for. */
  constructor(memory: Uint8Array, cpus: number) {
    if (memory.length < cpus * METRICS_SIZE || METRICS_SIZE !== (TAIL + BUCKETS * ROW) * WORD) {
      throw new Error('the probes and this program were not built together: run npm run build')
    }
    this.#halves = new Uint32Array(memory.buffer, memory.byteOffset, (cpus * METRICS_SIZE) / 4)
    this.#words = new BigUint64Array(memory.buffer, memory.byteOffset, (cpus * METRICS_SIZE) / WORD)
    this.#cpus = cpus
  }

  /** Gives the cumulative counts of all CPUs. */
  read(): Counts {
    const counts = emptyCounts()
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      this.#addCpu(counts, cpu)
    }
    return counts
  }

  /** Gives the cumulative histogram of the total alone: what it takes to follow the tail, at a tenth of the cost. */
  readTotals(): Float64Array {
    const totals = new Float64Array(BUCKETS)
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      const tail = (cpu * METRICS_SIZE) / WORD + TAIL
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        totals[bucket] = (totals[bucket] ?? 0) + this.#count(tail + bucket * ROW)
      }
    }
    return totals
  }

  /** Gives the cumulative histogram of one stage. */
  readStage(name: StageName): Float64Array {
    const histogram = new Float64Array(BUCKETS)
    for (let cpu = 0; cpu < this.#cpus; cpu++)
      this.#addStage(histogram, (cpu * METRICS_SIZE) / WORD, STAGES.indexOf(name))
    return histogram
  }

  /** Gives one cumulative count of all CPUs. */
  readCount(name: CountName): number {
    let sum = 0
    for (let cpu = 0; cpu < this.#cpus; cpu++)
      sum += this.#count((cpu * METRICS_SIZE + METRICS_OFFSETS[name]) / WORD)
    return sum
  }

  /** Lets every CPU send so many more exemplars. */
  allowExemplars(perCpu: number): void {
    for (let cpu = 0; cpu < this.#cpus; cpu++) {
      this.#words[(cpu * METRICS_SIZE + METRICS_OFFSETS.exemplars_left) / WORD] = BigInt(perCpu)
    }
  }

  #addCpu(counts: Counts, cpu: number): void {
    const start = (cpu * METRICS_SIZE) / WORD
    const at = (name: keyof typeof METRICS_OFFSETS): number =>
      this.#count(start + METRICS_OFFSETS[name] / WORD)
    counts.begun += at('begun')
    counts.unanswered += at('unanswered')
    counts.pipelined += at('pipelined')
    counts.unsplit += at('unsplit')
    counts.undivided += at('undivided')
    counts.begunLate += at('begun_late')
    counts.sameCpu += at('same_cpu')
    counts.lost.ringbuf_full += at('lost_ringbuf_full')
    counts.lost.map_full += at('lost_map_full')
    counts.lost.unmatched += at('lost_unmatched')
    counts.lost.clock += at('lost_clock')
    for (let from = 0; from < MATRIX_CPUS && cpu < MATRIX_CPUS; from++) {
      const cell = from * MATRIX_CPUS + cpu
      counts.locality[cell] = this.#count(start + METRICS_OFFSETS.from_cpu / WORD + from)
      counts.steering[cell] = this.#count(start + METRICS_OFFSETS.steered_from / WORD + from)
    }
    for (let state = 0; state < IDLE_STATES; state++) {
      const ns = this.#words[start + METRICS_OFFSETS.idle_exit_ns / WORD + state] ?? 0n
      counts.idleExits[state] =
        (counts.idleExits[state] ?? 0) + this.#count(start + METRICS_OFFSETS.idle_exits / WORD + state)
      counts.idleExitNs[state] = (counts.idleExitNs[state] ?? 0n) + ns
    }
    const maxNs = this.#words[start + METRICS_OFFSETS.max_ns / WORD] ?? 0n
    if (maxNs > counts.maxNs) counts.maxNs = maxNs
    for (const [stage, histogram] of counts.stages.entries()) this.#addStage(histogram, start, stage)
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#addRow(counts, bucket, start + TAIL + bucket * ROW)
  }

  #addStage(histogram: Float64Array, start: number, stage: number): void {
    const first = start + METRICS_OFFSETS.stage_requests / WORD + stage * BUCKETS
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      histogram[bucket] = (histogram[bucket] ?? 0) + this.#count(first + bucket)
  }

  #addRow(counts: Counts, bucket: number, row: number): void {
    const requests = this.#count(row)
    if (requests === 0) return
    counts.tailRequests[bucket] = (counts.tailRequests[bucket] ?? 0) + requests
    counts.shallowRequests[bucket] = (counts.shallowRequests[bucket] ?? 0) + this.#count(row + SHALLOW)
    counts.totalNs[bucket] = (counts.totalNs[bucket] ?? 0n) + (this.#words[row + TOTAL_NS] ?? 0n)
    for (let stage = 0; stage < STAGE_COUNT; stage++) {
      const cell = bucket * STAGE_COUNT + stage
      counts.tailStageNs[cell] =
        (counts.tailStageNs[cell] ?? 0n) + (this.#words[row + STAGE_SUMS + stage] ?? 0n)
    }
  }

  #count(word: number): number {
    return (this.#halves[2 * word] ?? 0) + (this.#halves[2 * word + 1] ?? 0) * 2 ** 32
  }
}
