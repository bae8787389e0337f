import type { Buffer } from 'node:buffer'
import type { Worker } from 'node:worker_threads'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { StartFailure } from '../start-failure.ts'
import type { ModelReply, ModelRequest } from './model-call.ts'
import type { SpareWorker } from './spare-worker.ts'
import { startThread } from './start-thread.ts'
import type { FromWorker, ToWorker } from './worker-messages.ts'

/** What a pool needs. */
export interface WorkerPoolOptions {
  readonly workerUrl: URL
  /** `workerData` of the worker in one seat, counted from 0. */
  readonly workerDataOf: (seat: number) => unknown
  /** Becomes the worker of the first seat. */
  readonly spareWorker?: SpareWorker | undefined
  readonly workerCount: number
  readonly waitingMax: number
  readonly log: Log
  /** Called once if the model cannot be loaded before any worker has been ready. */
  readonly onStartFailure: (failure: StartFailure) => void
}

interface Job {
  readonly id: number
  readonly request: ModelRequest
  resolve(reply: ModelReply): void
  reject(error: Error): void
}

/** One place for a worker: the thread in it now, its jobs, and how often in a row it died. */
interface Seat {
  readonly index: number
  worker: Worker | undefined
  isReady: boolean
  isDrained: boolean
  readonly jobById: Map<number, Job>
  callsMax: number
  deathCount: number
  lastWords: string
}

// Waiting bodies are held in memory: this many bytes of them are enough to keep the workers busy.
const WAITING_BYTES_MAX = 256 * 1024 * 1024
const RESTART_DELAY_MS_MIN = 100
const RESTART_DELAY_MS_MAX = 10_000

/**
 * Inference threads and the line of invocations that came by HTTP. What comes by frames goes to a thread's own socket and
 * is not seen here; in the thread both wait in one line.
 *
 * A seat is: starting (thread loads the model) → ready ⇄ busy with jobs, as many as the model runs as one → dead (its jobs
 * get 500) → starting again after a delay that doubles with every death in a row and is forgotten at the first answer.
 * The line is first come, first served, bounded in count and bytes; a job whose client leaves goes from the line.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #seats: Seat[] = []
  #spareWorker: SpareWorker | undefined
  readonly #waiting = new Set<Job>()
  #lastJobId = 0
  #waitingBytes = 0
  #wasReady = false
  #isClosed = false
  #isDraining = false
  #whenQuiet: (() => void) | undefined
  #whenDrained: (() => void) | undefined

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#spareWorker = options.spareWorker
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

  /** Tells the threads to take no more frames; resolves when those that came have been answered. */
  async drain(): Promise<void> {
    this.#isDraining = true
    for (const seat of this.#seats) if (seat.isReady) tell(seat, { kind: 'drain' })
    await new Promise<void>((resolve) => {
      this.#whenDrained = resolve
      this.#resolveWhenQuiet()
    })
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
      const job = { id: (this.#lastJobId += 1), request, resolve, reject }
      this.#waiting.add(job)
      this.#waitingBytes = waitingBytes
      const onAbort = (): void => {
        const wasWaiting = this.#leaveLine(job)
        if (wasWaiting) reject(new Error('The client left before its invocation ran.'))
        else for (const seat of this.#seats) if (seat.jobById.has(job.id)) this.#cancel(seat, job)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#dispatch()
    })
  }

  #addSeat(): void {
    const seat: Seat = {
      index: this.#seats.length,
      worker: undefined,
      isReady: false,
      isDrained: false,
      jobById: new Map(),
      callsMax: 1,
      deathCount: 0,
      lastWords: '',
    }
    this.#seats.push(seat)
    this.#startWorker(seat)
  }

  #resolveWhenQuiet(): void {
    const isQuiet = this.#seats.every(
      ({ worker, isReady, jobById }) => worker === undefined || (isReady && jobById.size === 0),
    )
    if (isQuiet) this.#whenQuiet?.()
    if (this.#seats.every(({ isReady, isDrained }) => !isReady || isDrained)) this.#whenDrained?.()
  }

  // It may have begun to run; then its answer is dropped.
  #cancel(seat: Seat, job: Job): void {
    tell(seat, { kind: 'cancel', id: job.id })
    job.reject(new Error('The client left while its invocation ran.'))
  }

  #leaveLine(job: Job): boolean {
    const wasWaiting = this.#waiting.delete(job)
    if (wasWaiting) this.#waitingBytes -= job.request.body.byteLength
    return wasWaiting
  }

  #freeSeat(): Seat | undefined {
    let chosen: Seat | undefined
    for (const seat of this.#seats) {
      if (!seat.isReady || seat.jobById.size >= seat.callsMax) continue
      if (chosen === undefined || seat.jobById.size < chosen.jobById.size) chosen = seat
    }
    return chosen
  }

  #dispatch(): void {
    for (const job of this.#waiting) {
      const seat = this.#freeSeat()
      if (seat?.worker === undefined) return
      this.#leaveLine(job)
      seat.jobById.set(job.id, job)
      const { id, request } = job
      const { buffer } = request.body
      const moved = buffer instanceof ArrayBuffer ? [buffer] : []
      seat.worker.postMessage({ kind: 'invoke', id, request } satisfies ToWorker, moved)
    }
  }

  #startWorker(seat: Seat): void {
    const { workerUrl, workerDataOf } = this.#options
    const workerData = workerDataOf(seat.index)
    const worker = this.#spareWorker?.use(workerData) ?? startThread(workerUrl, workerData)
    this.#spareWorker = undefined
    seat.worker = worker
    worker.on('message', (message: FromWorker) => this.#receive(seat, message))
    worker.on('error', (error: Error) => (seat.lastWords = error.message))
    worker.on('exit', (code) => this.#bury(seat, code))
  }

  #receive(seat: Seat, message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        seat.isReady = true
        seat.callsMax = message.callsMax
        seat.lastWords = ''
        this.#wasReady = true
        if (this.#isDraining) tell(seat, { kind: 'drain' })
        if (this.#seats.length < this.#options.workerCount) this.#addSeat()
        this.#options.log('info', 'model loaded', { signature: message.signature })
        break
      case 'note':
        this.#options.log('info', message.event, message.fields)
        break
      case 'failed':
        seat.lastWords = message.message
        this.#failStart(new StartFailure(message.reason, message.message))
        break
      case 'reply':
        seat.deathCount = 0
        seat.jobById.get(message.id)?.resolve(message.reply)
        seat.jobById.delete(message.id)
        break
      case 'drained':
        seat.isDrained = true
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
    for (const job of seat.jobById.values()) {
      job.reject(new Rejection(500, `The inference worker died of this invocation: ${reason}.`))
    }
    seat.jobById.clear()
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

function tell({ worker }: Seat, message: ToWorker): void {
  worker?.postMessage(message)
}

/** A body of its own memory, which can be given to another thread without a copy. */
export function transferable(body: Buffer): Uint8Array<ArrayBuffer> {
  const isWhole = body.byteOffset === 0 && body.byteLength === body.buffer.byteLength
  if (isWhole && body.buffer instanceof ArrayBuffer) return new Uint8Array(body.buffer)
  return new Uint8Array(body)
}
