interface Flight<T> {
  readonly promise: Promise<T>
  readonly controller: AbortController
  waiting: number
}

/** Runs the same work once for all who ask for it at the same time; it is aborted when the last of them has left. */
export class SharedWork<T> {
  readonly #flightByKey = new Map<string, Flight<T>>()

  /** Whether asking now would join others. */
  has(key: string): boolean {
    return this.#flightByKey.has(key)
  }

  /** Joins the work under the key or begins it; rejects at once when the caller's own signal aborts. */
  async run(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted()
    const flight = this.#flightByKey.get(key) ?? this.#begin(key, work)
    flight.waiting += 1
    const { promise: left, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([flight.promise, left])
    } finally {
      signal.removeEventListener('abort', onAbort)
      flight.waiting -= 1
      if (flight.waiting === 0) this.#end(key, flight)
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController()
    const flight = { promise: work(controller.signal), controller, waiting: 0 }
    this.#flightByKey.set(key, flight)
    // Those who wait see the failure; when all have left, nobody does, and it is not unhandled.
    flight.promise.catch(() => undefined)
    return flight
  }

  #end(key: string, flight: Flight<T>): void {
    flight.controller.abort()
    if (this.#flightByKey.get(key) === flight) this.#flightByKey.delete(key)
  }
}
