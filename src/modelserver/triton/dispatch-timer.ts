const TIMER_MS_MAX = 2 ** 31 - 1

/** Calls a scheduler's dispatch: soon, or at a time. */
export class DispatchTimer {
  readonly #dispatch: () => void
  #timer: NodeJS.Timeout | undefined
  #isSoon = false
  #isAfterThis = false

  constructor(dispatch: () => void) {
    this.#dispatch = dispatch
  }

  /** After all sockets that were readable have been read, so that what arrived together can run together. */
  soon(): void {
    if (this.#isSoon) return
    this.#isSoon = true
    setImmediate(() => {
      this.#isSoon = false
      this.#dispatch()
    })
  }

  /** When what runs now has come to its end: what arrives together from another model can run together. */
  afterThis(): void {
    if (this.#isAfterThis) return
    this.#isAfterThis = true
    queueMicrotask(() => {
      this.#isAfterThis = false
      this.#dispatch()
    })
  }

  /**
   * At a time of the monotonic clock, instead of any time before; infinite for never. Timers are of whole milliseconds and
   * may be early by a fraction; what remains is spun through the event loop.
   */
  at(atMs: number, nowMs: number): void {
    clearTimeout(this.#timer)
    if (atMs === Infinity) return
    if (atMs - nowMs < 1) this.soon()
    else this.#timer = setTimeout(this.#dispatch, Math.min(atMs - nowMs, TIMER_MS_MAX))
  }

  /** Forgets the time. */
  clear(): void {
    clearTimeout(this.#timer)
  }
}
