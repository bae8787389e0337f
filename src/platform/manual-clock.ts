import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../ports/clock.ts'

interface Sleeper {
  readonly dueAtMs: number
  readonly wake: () => void
}

/** A clock that stands still until a test advances it. */
export class ManualClock implements Clock {
  #nowMs: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(nowMs = 0) {
    this.#nowMs = nowMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const sleeper = { dueAtMs: this.#nowMs + delayMs, wake: resolve }
    this.#sleepers.add(sleeper)
    const abandon = (): void => {
      this.#sleepers.delete(sleeper)
      reject(signal.reason)
    }
    signal.addEventListener('abort', abandon, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', abandon))
  }

  /** Sleepers that wait now. */
  get sleeperCount(): number {
    return this.#sleepers.size
  }

  /** Lets time pass: wakes sleepers in order of their due times and lets what they trigger settle in between. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs
    await settle()
    for (let next = this.#earliest(untilMs); next !== undefined; next = this.#earliest(untilMs)) {
      this.#sleepers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueAtMs)
      next.wake()
      await settle()
    }
    this.#nowMs = untilMs
  }

  #earliest(untilMs: number): Sleeper | undefined {
    const due = [...this.#sleepers].filter(({ dueAtMs }) => dueAtMs <= untilMs)
    return due.toSorted((a, b) => a.dueAtMs - b.dueAtMs)[0]
  }
}

// Promise chains of code under test are short; two turns of the event loop empty them.
async function settle(): Promise<void> {
  await setImmediate()
  await setImmediate()
}
