import type { Buffer } from 'node:buffer'
import { Worker } from 'node:worker_threads'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { StartFailure } from '../start-failure.ts'
import type { ModelReply, ModelRequest } from './model.ts'
import type { FromWorker } from './worker-messages.ts'

/** What a pool needs. */
export interface WorkerPoolOptions {
  readonly workerUrl: URL
  /** Given to each worker as `workerData`. */
  readonly workerData: unknown
  readonly workerCount: number
  readonly waitingMax: number
  readonly log: Log
  /** Called once if the model cannot be loaded before any worker has been ready. */
  readonly onStartFailure: (failure: StartFailure) => void
}

interface Job {
  readonly request: ModelRequest
  resolve(reply: ModelReply): void
  reject(error: Error): void
}

/** One place for a worker: the thread in it now, and how often in a row it died. */
interface Seat {
  worker: Worker | undefined
  isReady: boolean
  job: Job | undefined
  deathCount: number
  lastWords: string
}

// Waiting bodies are held in memory: this many bytes of them are enough to keep the workers busy.
const WAITING_BYTES_MAX = 256 * 1024 * 1024
const RESTART_DELAY_MS_MIN = 100
const RESTART_DELAY_MS_MAX = 10_000

/**
 * Inference threads and the line before them.
 *
 * A seat is: starting (thread loads the model) → ready ⇄ busy with one job → dead (its job gets 500) → starting
 * again after a delay that doubles with every death in a row and is forgotten at the first answer.
 * The line is first come, first served, bounded in count and bytes; a job whose client leaves goes from the line.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #seats: Seat[] = []
  readonly #waiting = new Set<Job>()
  #waitingBytes = 0
  #wasReady = false
  #isClosed = false
  #whenQuiet: (() => void) | undefined

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  /** Starts the first thread, and the others once it has shown that the model loads. */
  start(): void {
    this.#addSeat()
  }

  /**
   * Starts no more threads, waits until none is in native code, and ends them. Ending the process before would
   * wait for the model to finish all the same, and then abort.
   */
  async close(): Promise<void> {
    this.#isClosed = true
    await new Promise<void>((resolve) => {
      this.#whenQuiet = resolve
      this.#resolveWhenQuiet()
    })
    const workers = this.#seats.flatMap(({ worker }) => worker ?? [])
    await Promise.all(workers.map((worker) => worker.terminate()))
  }

  /** Why no invocation can be served now, or `undefined` when a worker has the model. */
  unreadiness(): string | undefined {
    if (this.#seats.some(({ isReady }) => isReady)) return undefined
    if (!this.#wasReady) return 'the model is being loaded'
    const lastWords = this.#seats.map((seat) => seat.lastWords).find((words) => words !== '')
    return `every inference worker died and is being restarted (${lastWords ?? 'no reason given'})`
  }

  /**
   * Runs one invocation on the next free worker.
   *
   * @throws Rejection 503: no worker has the model, or the line is full.
   * @throws Rejection 500: the worker died of it.
   */
  invoke(request: ModelRequest, signal: AbortSignal): Promise<ModelReply> {
    const unready = this.unreadiness()
    if (unready !== undefined) throw new Rejection(503, `No model to invoke: ${unready}.`)
    const waitingBytes = this.#waitingBytes + request.body.byteLength
    const isFree = this.#freeSeat() !== undefined
    if (
      !isFree &&
      (this.#waiting.size >= this.#options.waitingMax || waitingBytes > WAITING_BYTES_MAX)
    ) {
      throw new Rejection(503, `All workers are busy and ${this.#waiting.size} invocations wait.`)
    }
    return new Promise((resolve, reject) => {
      const job = { request, resolve, reject }
      this.#waiting.add(job)
      this.#waitingBytes = waitingBytes
      const onAbort = (): void => {
        if (this.#leaveLine(job)) reject(new Error('The client left before its invocation ran.'))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#dispatch()
    })
  }

  #addSeat(): void {
    const seat = { worker: undefined, isReady: false, job: undefined, deathCount: 0, lastWords: '' }
    this.#seats.push(seat)
    this.#startWorker(seat)
  }

  #resolveWhenQuiet(): void {
    const isQuiet = this.#seats.every(
      ({ worker, isReady, job }) => worker === undefined || (isReady && job === undefined),
    )
    if (isQuiet) this.#whenQuiet?.()
  }

  #leaveLine(job: Job): boolean {
    const wasWaiting = this.#waiting.delete(job)
    if (wasWaiting) this.#waitingBytes -= job.request.body.byteLength
    return wasWaiting
  }

  #freeSeat(): Seat | undefined {
    return this.#seats.find(({ isReady, job }) => isReady && job === undefined)
  }

  #dispatch(): void {
    for (const job of this.#waiting) {
      const seat = this.#freeSeat()
      if (seat?.worker === undefined) return
      this.#leaveLine(job)
      seat.job = job
      seat.worker.postMessage(job.request, [job.request.body.buffer])
    }
  }

  #startWorker(seat: Seat): void {
    const { workerUrl, workerData } = this.#options
    const worker = new Worker(workerUrl, { workerData })
    seat.worker = worker
    worker.on('message', (message: FromWorker) => this.#receive(seat, message))
    worker.on('error', (error: Error) => (seat.lastWords = error.message))
    worker.on('exit', (code) => this.#bury(seat, code))
  }

  #receive(seat: Seat, message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        seat.isReady = true
        seat.lastWords = ''
        this.#wasReady = true
        if (this.#seats.length < this.#options.workerCount) this.#addSeat()
        this.#options.log('info', 'model loaded', { signature: message.signature })
        break
      case 'failed':
        seat.lastWords = message.message
        this.#failStart(new StartFailure(message.reason, message.message))
        break
      case 'reply':
        seat.deathCount = 0
        seat.job?.resolve(message.reply)
        seat.job = undefined
        break
    }
    this.#dispatch()
    this.#resolveWhenQuiet()
  }

  #bury(seat: Seat, code: number): void {
    const reason = seat.lastWords === '' ? `exit code ${code}` : seat.lastWords
    seat.lastWords = reason
    seat.worker = undefined
    seat.isReady = false
    seat.job?.reject(new Rejection(500, `The inference worker died of this invocation: ${reason}.`))
    seat.job = undefined
    const died = `the inference thread died while it loaded the model: ${reason}`
    this.#failStart(new StartFailure('bug', died))
    if (this.#isClosed) this.#resolveWhenQuiet()
    else this.#restartLater(seat)
  }

  // A model that has never been loaded will not load the next time either.
  #failStart(failure: StartFailure): void {
    if (this.#wasReady || this.#isClosed) return
    this.#isClosed = true
    this.#options.onStartFailure(failure)
  }

  #restartLater(seat: Seat): void {
    seat.deathCount += 1
    const backOffMs = RESTART_DELAY_MS_MIN * 2 ** (seat.deathCount - 1)
    const delayMs = Math.min(backOffMs, RESTART_DELAY_MS_MAX)
    this.#options.log('error', 'inference worker died', { reason: seat.lastWords, delayMs })
    this.#failLineWithoutHope()
    setTimeout(() => {
      if (!this.#isClosed) this.#startWorker(seat)
    }, delayMs).unref()
  }

  // A thread that is loading may soon serve the line; with none left, waiting would only hold the callers up.
  #failLineWithoutHope(): void {
    const unready = this.unreadiness()
    if (unready === undefined || this.#seats.some(({ worker }) => worker !== undefined)) return
    for (const job of this.#waiting) {
      this.#leaveLine(job)
      job.reject(new Rejection(503, `No model to invoke: ${unready}.`))
    }
  }
}

/** A body of its own memory, which can be given to another thread without a copy. */
export function transferable(body: Buffer): Uint8Array<ArrayBuffer> {
  const isWhole = body.byteOffset === 0 && body.byteLength === body.buffer.byteLength
  if (isWhole && body.buffer instanceof ArrayBuffer) return new Uint8Array(body.buffer)
  return new Uint8Array(body)
}
