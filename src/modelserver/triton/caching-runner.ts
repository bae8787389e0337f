import type { ExecutionTimes, InferenceResponse } from './backend.ts'
import { nowNs } from './clock.ts'
import type { Enqueued } from './enqueued.ts'
import { cacheKeyOf } from './response-cache.ts'
import type { ResponseCache } from './response-cache.ts'
import { Drain } from './runner.ts'
import type { Runner } from './runner.ts'
import type { Statistics } from './statistics.ts'

/** A runner whose answers are kept: a request that was answered before is answered at once. */
export class CachingRunner implements Runner {
  readonly #runner: Runner
  readonly #cache: ResponseCache
  readonly #statistics: Statistics
  readonly #scope: number
  readonly #drain = new Drain(() => this.#hitCount)
  /** Answers that are on their way out of the cache. */
  #hitCount = 0

  constructor(runner: Runner, cache: ResponseCache, statistics: Statistics) {
    this.#runner = runner
    this.#cache = cache
    this.#statistics = statistics
    this.#scope = cache.createScope()
    statistics.isCached = true
  }

  get outstandingCount(): number {
    return this.#runner.outstandingCount + this.#hitCount
  }

  enqueue(request: Enqueued): void {
    const lookupStartNs = nowNs()
    const key = cacheKeyOf(this.#scope, request)
    const found = this.#drain.isBegun ? undefined : this.#cache.find(key)
    const lookupNs = nowNs() - lookupStartNs
    if (found !== undefined) return this.#answer(request, found, lookupStartNs)
    this.#runner.enqueue({
      ...request,
      respond: (response, isFinal) => {
        const insertStartNs = nowNs()
        this.#cache.insert(key, response)
        this.#statistics.recordCacheMiss(lookupNs + nowNs() - insertStartNs)
        request.respond(response, isFinal)
      },
    })
  }

  async drain(): Promise<void> {
    await Promise.all([this.#drain.begin(), this.#runner.drain()])
  }

  // Not before the caller has finished handing it over: an ensemble goes on from there.
  #answer(request: Enqueued, response: InferenceResponse, lookupStartNs: number): void {
    this.#hitCount += 1
    queueMicrotask(() => {
      request.respond(response, true)
      const atNs = nowNs()
      this.#statistics.recordCacheHit(atNs - request.requestStartNs, atNs - lookupStartNs)
      request.onExecuted?.(executionOfNothing(atNs))
      this.#hitCount -= 1
      this.#drain.settle()
    })
  }
}

function executionOfNothing(atNs: number): ExecutionTimes {
  return { computeStartNs: atNs, inputEndNs: atNs, outputStartNs: atNs, computeEndNs: atNs }
}
