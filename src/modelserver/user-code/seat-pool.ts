import type { Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { StartFailure } from '../start-failure.ts'
import type { UserCall } from './user-call.ts'
import { Seat } from './seat.ts'
import type { WorkerKind } from './user-worker.ts'

/** What a pool needs. */
export interface SeatPoolOptions {
  readonly kind: WorkerKind
  readonly workerCount: number
  readonly waitingMax: number
  readonly callMsMax: number
  readonly log: Log
  /** Called once if the model cannot be loaded before any worker has had it. */
  readonly onStartFailure: (failure: StartFailure) => void
}

// Waiting bodies are held in memory: this many bytes of them are enough to keep the workers busy.
const WAITING_BYTES_MAX = 256 * 1024 * 1024

/**
 * Workers with one model each, and the line of invocations in front of them: first come, first served, bounded in
 * count and bytes. A call whose caller leaves goes from the line, or is interrupted.
 *
 * Where all workers are busy with short calls, the next ones are handed to them ahead of time. Those count as waiting, and
 * are taken back where one turns out to be slow or another has nothing to do: none waits for a worker while one is free.
 */
export class SeatPool {
  readonly #options: SeatPoolOptions
  readonly #seats: Seat[] = []
  #waiting = new Set<UserCall>()
  #waitingBytes = 0
  #lastCallId = 0
  #wasReady = false
  #isClosed = false

  constructor(options: SeatPoolOptions) {
    this.#options = options
  }

  /** Starts the first worker, and the others once it has shown that the model loads. */
  start(): void {
    this.#addSeat()
  }

  /** Ends the workers. What they run is lost: drain before. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#seats.map((seat) => seat.close()))
  }

  /** Why no invocation can be served now, or `undefined` when a worker has the model. */
  unreadiness(): string | undefined {
    if (this.#seats.some(({ isReady }) => isReady)) return undefined
    if (!this.#wasReady) return 'the model is being loaded'
    const lastWords = this.#seats.map((seat) => seat.lastWords).find((words) => words !== '')
    return `every ${this.#options.kind.name} died and is being restarted (${lastWords ?? 'no reason given'})`
  }

  /**
   * Runs one invocation on the next free worker.
   *
   * @throws Rejection 503: no worker has the model, or the line is full.
   * @throws Rejection 500: the worker died of it, or was too slow.
   */
  invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    this.#refuseWhenFull(invocation)
    return new Promise((resolve, reject) => {
      const call: UserCall = { id: this.#nextId(), invocation, signal, resolve, reject }
      const seat = this.#waiting.size === 0 ? this.#chooseSeat() : undefined
      if (seat !== undefined) return seat.run(call)
      this.#enterLine(call)
    })
  }

  #refuseWhenFull({ body }: Invocation): void {
    const unready = this.unreadiness()
    if (unready !== undefined) throw new Rejection(503, `No model to invoke: ${unready}.`)
    if (this.#seats.some(({ isIdle }) => isIdle)) return
    const ahead = this.#seats.flatMap((seat) => seat.ahead)
    const waitingCount = this.#waiting.size + ahead.length
    const aheadBytes = ahead.reduce((sum, { invocation }) => sum + invocation.body.length, 0)
    const bytes = this.#waitingBytes + aheadBytes + body.length
    if (waitingCount < this.#options.waitingMax && bytes <= WAITING_BYTES_MAX) return
    throw new Rejection(503, `All workers are busy and ${waitingCount} invocations wait.`)
  }

  // As large as a frame's number, and not 0, which is no call.
  #nextId(): number {
    this.#lastCallId = (this.#lastCallId % (2 ** 32 - 1)) + 1
    return this.#lastCallId
  }

  #enterLine(call: UserCall): void {
    this.#waiting.add(call)
    this.#waitingBytes += call.invocation.body.length
    call.onAbort = () => {
      this.#leaveLine(call)
      call.reject(new Error('The client left before its call ran.'))
    }
    call.signal.addEventListener('abort', call.onAbort, { once: true })
  }

  #leaveLine(call: UserCall): void {
    this.#waiting.delete(call)
    this.#waitingBytes -= call.invocation.body.length
    if (call.onAbort !== undefined) call.signal.removeEventListener('abort', call.onAbort)
  }

  // One that is idle, else that with the fewest calls.
  #chooseSeat(): Seat | undefined {
    let chosen: Seat | undefined
    for (const seat of this.#seats) {
      if (seat.isIdle) return seat
      if (seat.hasRoom && seat.ahead.length < (chosen?.ahead.length ?? Infinity)) chosen = seat
    }
    return chosen
  }

  #addSeat(): void {
    const seat: Seat = new Seat({
      ...this.#options,
      onLoaded: (model) => this.#onLoaded(model),
      onRoom: () => this.#dispatch(seat),
      onTakenBack: (calls) => this.#lineUpFirst(calls),
      onLoadFailed: (reason) => this.#failStart(reason),
      onDeath: () => this.#failLineWithoutHope(),
    })
    this.#seats.push(seat)
    seat.start()
  }

  #onLoaded(model: string): void {
    this.#wasReady = true
    this.#options.log('info', 'model loaded', { model })
    if (this.#seats.length < this.#options.workerCount && !this.#isClosed) this.#addSeat()
  }

  #dispatch(seat: Seat): void {
    for (const other of this.#seats) {
      const aheadCount = other === seat ? 0 : other.ahead.length
      if (aheadCount === 0) continue
      if (!other.isBrisk) other.takeBack(aheadCount)
      else if (seat.isIdle && this.#waiting.size === 0) other.takeBack(Math.ceil(aheadCount / 2))
    }
    for (const call of this.#waiting) {
      if (!seat.hasRoom) return
      this.#leaveLine(call)
      seat.run(call)
    }
  }

  // They came before all that waits.
  #lineUpFirst(calls: readonly UserCall[]): void {
    const later = this.#waiting
    this.#waiting = new Set()
    for (const call of calls) this.#enterLine(call)
    for (const call of later) this.#waiting.add(call)
    for (const seat of this.#seats) if (seat.isIdle) this.#dispatch(seat)
  }

  // A model that has never been loaded will not load the next time either.
  #failStart(reason: string): boolean {
    if (this.#wasReady || this.#isClosed) return !this.#isClosed
    this.#isClosed = true
    this.#options.onStartFailure(new StartFailure('modelInvalid', reason))
    return false
  }

  // A worker that is loading may soon serve the line; with none left, waiting would only hold the callers up.
  #failLineWithoutHope(): void {
    const unready = this.unreadiness()
    if (unready === undefined || this.#seats.some(({ isDead }) => !isDead)) return
    for (const call of this.#waiting) {
      this.#leaveLine(call)
      call.reject(new Rejection(503, `No model to invoke: ${unready}.`))
    }
  }
}
