/** Turns of loads on one instance: so many at a time, the others in the order in which they came. */
export class LoadLine {
  readonly #loadsMax: number
  readonly #waiting: (() => void)[] = []
  #runningCount = 0

  constructor(loadsMax: number) {
    this.#loadsMax = loadsMax
  }

  /** Loads that wait or run. */
  get waitingCount(): number {
    return this.#waiting.length + this.#runningCount
  }

  /** Resolves when it is the caller's turn; the turn ends when it is disposed of. @throws the signal's reason. */
  async enter(signal: AbortSignal): Promise<Disposable> {
    if (this.#runningCount >= this.#loadsMax) await this.#wait(signal)
    else this.#runningCount += 1
    return { [Symbol.dispose]: () => this.#leave() }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => {
      const index = this.#waiting.indexOf(resolve)
      if (index < 0) return
      this.#waiting.splice(index, 1)
      reject(signal.reason)
    }
    this.#waiting.push(resolve)
    signal.addEventListener('abort', abort, { once: true })
    await promise
    signal.removeEventListener('abort', abort)
  }

  // The turn goes to the next as it is.
  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#runningCount -= 1
    else next()
  }
}
