import { RoundRobin } from '../domain/round-robin.ts'

// Of one endpoint in one turn of the event loop before the others are considered: a client with many connections has them
// all readable at once. Small beside what a turn may bring (hundreds), large beside what a busy one brings (tens).
const STARTS_PER_TURN = 16
// Of those that wait, all together, in one turn: about two milliseconds of work.
const RESUMED_PER_TURN = 32
// For so long after a change from one endpoint to another, several are in use.
const MIXED_MS = 1_000
const BYTES_PER_COST = 64 * 1024

/**
 * Keeps an endpoint that brings many invocations at once from taking the gateway's event loop from the others.
 *
 * While only one endpoint is in use there is nothing to share, and everything begins at once. With several, an endpoint that
 * has begun its part in this turn of the loop waits for the next ones, in which those who wait take turns; their
 * connections are not read meanwhile, which slows their senders down.
 */
export class Turns {
  readonly #waiting = new RoundRobin<() => void>()
  readonly #startsByEndpoint = new Map<string, number>()
  readonly #nowMs: () => number
  #lastEndpoint = ''
  #mixedAtMs = -Infinity
  #isTurnArmed = false

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
  }

  get waitingCount(): number {
    return this.#waiting.count
  }

  /**
   * To be called before anything is spent on an invocation.
   *
   * @returns undefined when it begins at once, else a promise of its turn.
   */
  take(endpointName: string, announcedBytes: number): Promise<void> | undefined {
    if (endpointName !== this.#lastEndpoint) {
      if (this.#lastEndpoint !== '') this.#mixedAtMs = this.#nowMs()
      this.#lastEndpoint = endpointName
    }
    const startCount = (this.#startsByEndpoint.get(endpointName) ?? 0) + 1
    this.#startsByEndpoint.set(endpointName, startCount)
    this.#armTurn()
    // Whoever waits already is not overtaken by its own kind.
    if (startCount <= STARTS_PER_TURN && !this.#waiting.has(endpointName)) return undefined
    const isMixed = this.#nowMs() - this.#mixedAtMs < MIXED_MS
    if (!isMixed && !this.#waiting.has(endpointName)) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(endpointName, resolve, 1 + announcedBytes / BYTES_PER_COST)
    return promise
  }

  #armTurn(): void {
    if (this.#isTurnArmed) return
    this.#isTurnArmed = true
    setImmediate(() => this.#endTurn())
  }

  #endTurn(): void {
    this.#isTurnArmed = false
    this.#startsByEndpoint.clear()
    for (let count = 0; count < RESUMED_PER_TURN; count += 1) {
      const resume = this.#waiting.next()
      if (resume === undefined) return
      resume()
    }
    this.#armTurn()
  }
}
