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
 */
export class SeatPool {
  readonly #options: SeatPoolOptions
  readonly #seats: Seat[] = []
  readonly #waiting = new Set<UserCall>()
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
      const call = { id: this.#nextId(), invocation, signal, resolve, reject }
      const seat = this.#freeSeat()
      if (seat !== undefined) return seat.run(call)
      this.#enterLine(call)
    })
  }

  #refuseWhenFull({ body }: Invocation): void {
    const unready = this.unreadiness()
    if (unready !== undefined) throw new Rejection(503, `No model to invoke: ${unready}.`)
    if (this.#freeSeat() !== undefined) return
    const isFull = this.#waiting.size >= this.#options.waitingMax
    if (!isFull && this.#waitingBytes + body.length <= WAITING_BYTES_MAX) return
    throw new Rejection(503, `All workers are busy and ${this.#waiting.size} invocations wait.`)
  }

  // As large as a frame's number.
  #nextId(): number {
    this.#lastCallId = (this.#lastCallId + 1) % 2 ** 32
    return this.#lastCallId
  }

  #enterLine(call: UserCall): void {
    this.#waiting.add(call)
    this.#waitingBytes += call.invocation.body.length
    const leave = (): void => {
      if (this.#leaveLine(call)) call.reject(new Error('The client left before its call ran.'))
    }
    call.signal.addEventListener('abort', leave, { once: true })
  }

  #leaveLine(call: UserCall): boolean {
    const wasWaiting = this.#waiting.delete(call)
    if (wasWaiting) this.#waitingBytes -= call.invocation.body.length
    return wasWaiting
  }

  #freeSeat(): Seat | undefined {
    return this.#seats.find(({ isIdle }) => isIdle)
  }

  #addSeat(): void {
    const seat: Seat = new Seat({
      ...this.#options,
      onLoaded: (model) => this.#onLoaded(model),
      onIdle: () => this.#dispatch(seat),
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
    const [call] = this.#waiting
    if (call === undefined) return
    this.#leaveLine(call)
    seat.run(call)
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
