// A reply that takes longer is slept for: a wake-up is little beside it.
const EXPECTED_US_MAX = 200
// What gateway and worker add to the expected time; a reply that is not there by then was held up.
const SLACK_US = 200
// After a miss, waits are slept through: one, and with each further miss twice as many, up to this.
const SKIPPED_MAX = 256

/** The event loop and the clock, to be moved by hand in tests. */
export interface LoopClock {
  readonly nowMs: () => number
  readonly nextTurn: (run: () => void) => void
}

const REAL: LoopClock = {
  nowMs: () => performance.now(),
  nextTurn: (run) => void setImmediate(run),
}

/**
 * Keeps the event loop turning for the moment that a small model takes to answer.
 *
 * A loop with nothing to do sleeps, and waking it from another core takes longer than the run of a small model: with one
 * call outstanding, a third of the whole latency (decision 0008). A loop that has a turn planned polls its sockets without
 * sleeping. It costs processor time while nothing else is to be done in this process, so only what is expected within
 * fractions of a millisecond is polled for, and rarely where that fails: where models answer late, or other processes
 * need the core.
 */
export class ReplyPolling {
  readonly #clock: LoopClock
  readonly #turn = (): void => this.#takeTurn()
  #isAwaited = false
  #isTurnPlanned = false
  #untilMs = 0
  #missCount = 0
  #skipCount = 0

  constructor(clock: LoopClock = REAL) {
    this.#clock = clock
  }

  /**
   * Something has been sent: polls until the next reply comes.
   *
   * @param expectedUs until all that is outstanding is answered; infinite when unknown
   */
  begin(expectedUs: number): void {
    if (this.#isAwaited || expectedUs > EXPECTED_US_MAX) return
    if (this.#skipCount > 0) {
      this.#skipCount -= 1
      return
    }
    this.#isAwaited = true
    this.#untilMs = this.#clock.nowMs() + (expectedUs + SLACK_US) / 1000
    this.#planTurn()
  }

  /** A reply has come. */
  end(): void {
    if (!this.#isAwaited) return
    this.#isAwaited = false
    this.#missCount = 0
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return
    this.#isTurnPlanned = true
    this.#clock.nextTurn(this.#turn)
  }

  #takeTurn(): void {
    this.#isTurnPlanned = false
    if (!this.#isAwaited) return
    if (this.#clock.nowMs() < this.#untilMs) return this.#planTurn()
    this.#isAwaited = false
    this.#skipCount = Math.min(SKIPPED_MAX, 2 ** this.#missCount)
    this.#missCount += 1
  }
}
