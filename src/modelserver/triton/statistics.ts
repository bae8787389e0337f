import type { ExecutionTimes } from './backend.ts'
import type { FailureReason } from './serving-error.ts'

/** How often, and how long together. */
export interface DurationStatistic {
  readonly count: number
  readonly ns: number
}

/** The parts of an inference that are measured. */
export const PARTS = [
  'success',
  'fail',
  'queue',
  'compute_input',
  'compute_infer',
  'compute_output',
  'cache_hit',
  'cache_miss',
] as const

type Part = (typeof PARTS)[number]
const BATCH_PARTS = ['compute_input', 'compute_infer', 'compute_output'] as const
type BatchPart = (typeof BATCH_PARTS)[number]

class Sum implements DurationStatistic {
  count = 0
  ns = 0

  add(ns: number, count = 1): void {
    this.count += count
    this.ns += Math.max(0, Math.round(ns))
  }

  snapshot(): DurationStatistic {
    return { count: this.count, ns: this.ns }
  }
}

/** When a request came and when it was done with, with its share of an execution in between. */
export interface RequestTimes extends ExecutionTimes {
  readonly requestStartNs: number
  readonly queueStartNs: number
  readonly requestEndNs: number
}

/** What a version has done since it was loaded. */
export class Statistics {
  readonly #parts = Object.fromEntries(PARTS.map((part) => [part, new Sum()]))
  readonly #batches = new Map<number, Record<BatchPart, Sum>>()
  readonly #failureCounts = new Map<FailureReason, number>()
  readonly #nowMs: () => number
  #lastInferenceMs = 0
  #inferenceCount = 0
  #executionCount = 0
  #pendingCount = 0
  loadSeconds = 0
  /** Whether answers come from a cache too. */
  isCached = false

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get inferenceCount(): number {
    return this.#inferenceCount
  }

  get executionCount(): number {
    return this.#executionCount
  }

  get pendingCount(): number {
    return this.#pendingCount
  }

  part(part: Part): DurationStatistic {
    return this.#sum(part).snapshot()
  }

  failureCount(reason: FailureReason): number {
    return this.#failureCounts.get(reason) ?? 0
  }

  recordPending(difference: 1 | -1): void {
    this.#pendingCount += difference
  }

  /** A request was answered; `rowCount` is its batch size, 0 for none. */
  recordSuccess(times: RequestTimes, rowCount: number): void {
    this.#lastInferenceMs = this.#nowMs()
    this.#inferenceCount += Math.max(1, rowCount)
    this.#sum('success').add(times.requestEndNs - times.requestStartNs)
    this.#sum('queue').add(times.computeStartNs - times.queueStartNs)
    this.#sum('compute_input').add(times.inputEndNs - times.computeStartNs)
    this.#sum('compute_infer').add(times.outputStartNs - times.inputEndNs)
    this.#sum('compute_output').add(times.computeEndNs - times.outputStartNs)
  }

  /** A request was answered without being run. */
  recordCacheHit(requestNs: number, hitNs: number): void {
    this.#lastInferenceMs = this.#nowMs()
    this.#sum('success').add(requestNs)
    this.#sum('queue').add(0)
    this.#sum('cache_hit').add(hitNs)
  }

  /** A request was looked for in the cache, was run, and is there now. */
  recordCacheMiss(missNs: number): void {
    this.#sum('cache_miss').add(missNs)
  }

  recordFailure(tookNs: number, reason: FailureReason): void {
    this.#sum('fail').add(tookNs)
    this.#failureCounts.set(reason, this.failureCount(reason) + 1)
  }

  /** A batch was run. */
  recordExecution(times: ExecutionTimes, rowCount: number): void {
    this.#executionCount += 1
    const batch = this.#batchOf(Math.max(1, rowCount))
    batch.compute_input.add(times.inputEndNs - times.computeStartNs)
    batch.compute_infer.add(times.outputStartNs - times.inputEndNs)
    batch.compute_output.add(times.computeEndNs - times.outputStartNs)
  }

  /** As the protocol's statistics extension prints it. */
  toJson(name: string, version: string): Record<string, unknown> {
    const ascending = [...this.#batches].toSorted(([a], [b]) => a - b)
    return {
      name,
      version,
      last_inference: this.#lastInferenceMs,
      inference_count: this.#inferenceCount,
      execution_count: this.#executionCount,
      inference_stats: Object.fromEntries(PARTS.map((part) => [part, this.part(part)])),
      response_stats: {},
      batch_stats: ascending.map(([batchSize, sums]) => ({
        batch_size: batchSize,
        ...Object.fromEntries(BATCH_PARTS.map((part) => [part, sums[part].snapshot()])),
      })),
      memory_usage: [],
    }
  }

  #sum(part: Part): Sum {
    const sum = this.#parts[part]
    if (sum === undefined) throw new Error(`There is no part ${part}.`)
    return sum
  }

  #batchOf(rowCount: number): Record<BatchPart, Sum> {
    const known = this.#batches.get(rowCount)
    if (known !== undefined) return known
    const batch = { compute_input: new Sum(), compute_infer: new Sum(), compute_output: new Sum() }
    this.#batches.set(rowCount, batch)
    return batch
  }
}
