import { afterFailure } from '../domain/back-off.ts'
import type { BackOff, BackOffPolicy } from '../domain/back-off.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from './log.ts'

/** What a {@link WorkQueue} runs and how. */
export interface WorkQueueOptions {
  /** For log lines, e.g. `endpoint`. */
  readonly name: string
  /**
   * Moves one key one step towards its desired state; safe at any time, any number of times.
   *
   * @returns when to look again, or `undefined` when only a change or the resync need bring it back.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>
  /** Every key there is; a resync adds them all, so that a missed event costs latency and never correctness. */
  readonly listKeys: () => Promise<readonly string[]>
  readonly resyncIntervalMs: number
  readonly backOff?: BackOffPolicy
  readonly clock: Clock
  readonly log: Log
}

/** Counters of a queue since it was made, and what waits now. */
export interface WorkQueueStats {
  readonly runCount: number
  readonly failureCount: number
  readonly waitingCount: number
  readonly delayedCount: number
  readonly failingCount: number
}

/** A log line and a retry at once, then ever rarer: reconciling must go on by itself once the cause is gone. */
const DEFAULT_BACK_OFF: BackOffPolicy = { freeCount: 0, firstDelayMs: 100, delayMsMax: 30_000 }

/**
 * The one loop of every controller: keys not events, de-duplicated, one key in flight at a time.
 *
 * A key that is added while it is in flight runs once more afterwards. A key that fails is retried with back-off
 * here and nowhere else. Nothing is kept on disk: whatever is lost with the process, the first resync finds.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #waiting = new Set<string>()
  /** Keys that become due later; a key has at most one due time, the earliest asked for. */
  readonly #dueAtMsByKey = new Map<string, number>()
  readonly #backOffByKey = new Map<string, BackOff>()
  readonly #stopping = new AbortController()
  #wake = Promise.withResolvers<void>()
  #running: Promise<void> | undefined
  #resyncAtMs = 0
  #runCount = 0
  #failureCount = 0

  constructor(options: WorkQueueOptions) {
    this.#options = options
  }

  /** Asks for one run of this key soon. */
  add(key: string): void {
    this.#waiting.add(key)
    this.#wake.resolve()
  }

  /** Asks for one run of this key after a while; an earlier one asked for stays. */
  addAfter(key: string, delayMs: number): void {
    const dueAtMs = this.#options.clock.nowMs() + delayMs
    const earlierMs = this.#dueAtMsByKey.get(key) ?? Infinity
    if (dueAtMs >= earlierMs) return
    this.#dueAtMsByKey.set(key, dueAtMs)
    this.#wake.resolve()
  }

  /** Begins with a resync. */
  start(): void {
    this.#running ??= this.#run(this.#stopping.signal)
  }

  /** Resolves when the key in flight is finished; its signal is aborted, further keys are left. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  stats(): WorkQueueStats {
    return {
      runCount: this.#runCount,
      failureCount: this.#failureCount,
      waitingCount: this.#waiting.size,
      delayedCount: this.#dueAtMsByKey.size,
      failingCount: this.#backOffByKey.size,
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>()
      await this.#collectDue()
      const [key] = this.#waiting
      if (key === undefined) await this.#sleepUntilDue(signal)
      else await this.#runKey(key, signal)
    }
  }

  async #collectDue(): Promise<void> {
    const nowMs = this.#options.clock.nowMs()
    for (const [key, dueAtMs] of this.#dueAtMsByKey) {
      if (dueAtMs > nowMs) continue
      this.#dueAtMsByKey.delete(key)
      this.#waiting.add(key)
    }
    if (nowMs < this.#resyncAtMs) return
    this.#resyncAtMs = nowMs + this.#options.resyncIntervalMs
    try {
      for (const key of await this.#options.listKeys()) this.#waiting.add(key)
    } catch (error) {
      this.#options.log.error({ queue: this.#options.name, err: error }, 'resync failed')
    }
  }

  async #runKey(key: string, signal: AbortSignal): Promise<void> {
    this.#waiting.delete(key)
    this.#runCount += 1
    try {
      const requeueAfterMs = await this.#options.reconcile(key, signal)
      this.#backOffByKey.delete(key)
      if (requeueAfterMs !== undefined) this.addAfter(key, requeueAfterMs)
    } catch (error) {
      if (!signal.aborted) this.#retryLater(key, error)
    }
  }

  #retryLater(key: string, error: unknown): void {
    const { backOff: policy = DEFAULT_BACK_OFF, clock, log, name } = this.#options
    const nowMs = clock.nowMs()
    const backOff = afterFailure(this.#backOffByKey.get(key), nowMs, policy)
    this.#backOffByKey.set(key, backOff)
    this.#failureCount += 1
    const retryInMs = backOff.notBeforeMs - nowMs
    this.addAfter(key, retryInMs)
    const { failureCount } = backOff
    log.error({ queue: name, key, failureCount, retryInMs, err: error }, 'reconcile failed')
  }

  async #sleepUntilDue(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const dueAtMs = Math.min(this.#resyncAtMs, ...this.#dueAtMsByKey.values())
    const woken = new AbortController()
    const either = AbortSignal.any([signal, woken.signal])
    const slept = clock.sleep(Math.max(0, dueAtMs - clock.nowMs()), either).catch(() => undefined)
    await Promise.race([slept, this.#wake.promise])
    woken.abort()
    await slept
  }
}
