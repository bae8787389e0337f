const NEVER = Number.POSITIVE_INFINITY

/**
 * Deadlines of many connections with one timer: a deadline passes up to two ticks late, and never early.
 *
 * A deadline moves with every request and passes seldom. So moving it later only writes a number; the timer stays in the
 * bucket of its old tick and is put into the right one when that tick comes. Time in which this process did not run
 * does not count against a client: ticks are counted, not read from a clock.
 */
export class TimerWheel {
  readonly #tickMs: number
  readonly #bucketByTick = new Map<number, Set<WheelTimer>>()
  #interval: NodeJS.Timeout | undefined
  #tick = 0

  constructor(tickMs: number) {
    this.#tickMs = tickMs
  }

  get timerCount(): number {
    let count = 0
    for (const bucket of this.#bucketByTick.values()) count += bucket.size
    return count
  }

  /** Ticks from now on; keeps no process alive. */
  start(): void {
    this.#interval = setInterval(() => this.advance(), this.#tickMs).unref()
  }

  stop(): void {
    clearInterval(this.#interval)
  }

  createTimer(onExpire: () => void): WheelTimer {
    return new WheelTimer(this, onExpire)
  }

  /** One tick passes. */
  advance(): void {
    this.#tick += 1
    const bucket = this.#bucketByTick.get(this.#tick)
    if (bucket === undefined) return
    this.#bucketByTick.delete(this.#tick)
    for (const timer of bucket) {
      timer.bucketTick = NEVER
      if (timer.dueTick <= this.#tick) {
        timer.dueTick = NEVER
        timer.onExpire()
      } else this.place(timer)
    }
  }

  /** The first tick that is surely later than `delayMs` from now. */
  tickAfter(delayMs: number): number {
    return this.#tick + Math.ceil(delayMs / this.#tickMs) + 1
  }

  /** Puts a timer into the bucket of its tick. */
  place(timer: WheelTimer): void {
    this.remove(timer)
    if (timer.dueTick === NEVER) return
    timer.bucketTick = timer.dueTick
    const bucket = this.#bucketByTick.get(timer.bucketTick)
    if (bucket === undefined) this.#bucketByTick.set(timer.bucketTick, new Set([timer]))
    else bucket.add(timer)
  }

  remove(timer: WheelTimer): void {
    if (timer.bucketTick === NEVER) return
    this.#bucketByTick.get(timer.bucketTick)?.delete(timer)
    timer.bucketTick = NEVER
  }
}

/** One deadline that is set, moved and cleared. */
class WheelTimer {
  readonly onExpire: () => void
  readonly #wheel: TimerWheel
  dueTick = NEVER
  /** Where it is in the wheel: its own tick or an earlier one. */
  bucketTick = NEVER

  constructor(wheel: TimerWheel, onExpire: () => void) {
    this.#wheel = wheel
    this.onExpire = onExpire
  }

  set(delayMs: number): void {
    this.dueTick = this.#wheel.tickAfter(delayMs)
    if (this.dueTick < this.bucketTick) this.#wheel.place(this)
  }

  clear(): void {
    this.dueTick = NEVER
  }

  /** Leaves the wheel; for a timer that is not set again. */
  dispose(): void {
    this.dueTick = NEVER
    this.#wheel.remove(this)
  }
}

export type { WheelTimer }
