import type { LoadResult, LoadSpec } from './load.ts'
import { readRequests } from './requests.ts'
import { percentile } from './stats.ts'

const FAILURE_TEXT_MAX = 400

/** What a generator sends next, and what became of it. */
export class LoadTally {
  readonly #spec: LoadSpec
  readonly #requests: readonly Buffer[]
  readonly #latenciesUs: number[] = []
  readonly #startMs = performance.now()
  readonly #measureFromMs: number
  readonly #untilMs: number
  #sentCount = 0
  #failedCount = 0
  #firstFailure: string | undefined
  #firstBody: string | undefined

  constructor(spec: LoadSpec) {
    this.#spec = spec
    this.#requests = readRequests(spec.requestsPath)
    const { stopAfter } = spec
    const isTimed = stopAfter.kind === 'duration'
    this.#measureFromMs = isTimed ? this.#startMs + stopAfter.warmMs : 0
    this.#untilMs = isTimed ? this.#measureFromMs + stopAfter.measuredMs : Infinity
  }

  /** @returns undefined when the time or the requests are over. */
  take(): Buffer | undefined {
    const isOnce = this.#spec.stopAfter.kind === 'all-once'
    if (isOnce && this.#sentCount >= this.#requests.length) return undefined
    if (performance.now() >= this.#untilMs) return undefined
    return this.#requests[this.#sentCount++ % this.#requests.length]
  }

  /** @param body called for the first answer only. */
  answered(sentAtMs: number, body: () => string): void {
    const nowMs = performance.now()
    this.#firstBody ??= body()
    if (sentAtMs >= this.#measureFromMs) this.#latenciesUs.push((nowMs - sentAtMs) * 1000)
  }

  failed(answer: string): void {
    this.#failedCount += 1
    this.#firstFailure ??= answer.slice(0, FAILURE_TEXT_MAX)
  }

  /** To be asked when all is over. */
  result(): LoadResult {
    const nowMs = performance.now()
    const latencies = this.#latenciesUs
    const { user, system } = process.cpuUsage()
    return {
      requestCount: latencies.length,
      failedCount: this.#failedCount,
      firstFailure: this.#firstFailure,
      firstBody: this.#firstBody,
      perSecond: (latencies.length / (nowMs - Math.max(this.#startMs, this.#measureFromMs))) * 1000,
      p50Us: percentile(latencies, 0.5),
      p99Us: percentile(latencies, 0.99),
      maxUs: percentile(latencies, 1),
      cpuShare: (user + system) / 1000 / nowMs,
    }
  }
}
