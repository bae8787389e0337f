/** Why an invocation's signal aborted: it took longer than its deadline. */
export class DeadlinePassed extends Error {
  constructor() {
    super('The deadline has passed.')
    this.name = 'DeadlinePassed'
  }
}

/** Why an invocation's signal aborted: nobody waits for the reply any more. */
export class ClientGone extends Error {
  constructor() {
    super('The client has closed the connection.')
    this.name = 'ClientGone'
  }
}

/** The time an invocation has, set once at the edge; also ended by the client going away. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController()
  readonly #startedAtMs = performance.now()
  #timeoutMs: number
  #timer: NodeJS.Timeout

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
    this.#timer = setTimeout(() => this.#pass(), timeoutMs)
  }

  /** Aborts with {@link DeadlinePassed} or {@link ClientGone}. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Time left, so that whoever is asked next knows when nobody waits any more. */
  remainingMs(): number {
    return Math.max(0, this.#timeoutMs - (performance.now() - this.#startedAtMs))
  }

  /** Moves the end to `timeoutMs` after the start. */
  extendTo(timeoutMs: number): void {
    clearTimeout(this.#timer)
    this.#timeoutMs = timeoutMs
    this.#timer = setTimeout(() => this.#pass(), this.remainingMs())
  }

  /** The client is gone: whatever waits for this deadline ends. */
  abandon(): void {
    clearTimeout(this.#timer)
    this.#controller.abort(new ClientGone())
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  #pass(): void {
    this.#controller.abort(new DeadlinePassed())
  }
}
