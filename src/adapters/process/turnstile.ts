/** Lets at most so many tasks run at a time; the others wait in the order they came. */
export class Turnstile {
  readonly #runningMax: number
  #runningCount = 0
  readonly #waiting = new Set<() => void>()

  constructor(runningMax: number) {
    this.#runningMax = runningMax
  }

  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#enter(signal)
    try {
      return await task()
    } finally {
      this.#leave()
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#runningCount < this.#runningMax) {
      this.#runningCount += 1
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abandon = (): void => {
      this.#waiting.delete(resolve)
      reject(signal.reason)
    }
    this.#waiting.add(resolve)
    signal.addEventListener('abort', abandon, { once: true })
    await promise.finally(() => signal.removeEventListener('abort', abandon))
  }

  // The place is handed over, not given back, so that nobody slips in between.
  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#runningCount -= 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
