import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { ReplyStream } from './reply-stream.ts'
import type { UserCall } from './user-call.ts'
import type { UserWorker, WorkerKind, WorkerMessage } from './user-worker.ts'

// How long user code may go on for a caller that has left, before its process is replaced.
const CANCEL_MS_MAX = 5_000
// An interrupt may come before the worker has begun the call: it is repeated.
const INTERRUPT_INTERVAL_MS = 100
const RESTART_DELAY_MS_MIN = 100
const RESTART_DELAY_MS_MAX = 10_000

/** What a seat needs. */
export interface SeatOptions {
  readonly kind: WorkerKind
  /** A worker that is silent for so long within a call is replaced. */
  readonly callMsMax: number
  readonly log: Log
  /** The worker has loaded the model. */
  readonly onLoaded: (model: string) => void
  /** It takes a call. */
  readonly onIdle: () => void
  /** It did not load the model. @returns whether to try again. */
  readonly onLoadFailed: (reason: string) => boolean
  readonly onDeath: () => void
}

/**
 * One place for a worker: loading → idle ⇄ busy with one call → dead → loading again, after a delay that doubles
 * with every death in a row and is forgotten at the first answer.
 */
export class Seat {
  readonly #options: SeatOptions
  #worker: UserWorker | undefined
  #state: 'loading' | 'idle' | 'busy' | 'dead' = 'dead'
  #call: UserCall | undefined
  #onAbort: (() => void) | undefined
  #patience: NodeJS.Timeout | undefined
  #cancelling: NodeJS.Timeout | undefined
  #loadFailure: string | undefined
  #killedBecause: string | undefined
  #deathCount = 0
  #isClosed = false
  lastWords = ''

  constructor(options: SeatOptions) {
    this.#options = options
  }

  get isIdle(): boolean {
    return this.#state === 'idle'
  }

  /** It has the model. */
  get isReady(): boolean {
    return this.#state === 'idle' || this.#state === 'busy'
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  start(): void {
    this.#state = 'loading'
    this.#loadFailure = undefined
    this.#killedBecause = undefined
    this.#worker = this.#options.kind.start({
      onMessage: (callId, message, body) => this.#receive(callId, message, body),
      onExit: (how) => this.#bury(how),
    })
  }

  /** Runs a call; the seat is idle. */
  run(call: UserCall): void {
    this.#state = 'busy'
    this.#call = call
    const { headers, body, method, path } = call.invocation
    const requestId = headers['x-amzn-requestid'] ?? randomUUID()
    this.#worker?.run(call.id, { method, path, headers, requestId }, body)
    this.#expect()
    this.#onAbort = () => this.#cancel(call)
    call.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#worker?.close()
  }

  #receive(callId: number, message: WorkerMessage, body: Buffer): void {
    if (message.kind === 'loaded') return this.#becomeLoaded(message.model)
    if (message.kind === 'load-failed') {
      this.#loadFailure = message.message
      return
    }
    const call = this.#call
    if (call === undefined || call.id !== callId) return
    this.#deathCount = 0
    this.#answer(call, message, body)
  }

  #becomeLoaded(model: string): void {
    this.#state = 'idle'
    this.lastWords = ''
    this.#options.onLoaded(model)
    this.#options.onIdle()
  }

  #answer(call: UserCall, message: WorkerMessage, body: Buffer): void {
    switch (message.kind) {
      case 'reply':
        call.resolve({ status: message.status, headers: message.headers, body: Buffer.from(body) })
        return this.#finish()
      case 'reply-start':
        call.stream = this.#createStream(call)
        call.resolve({ status: message.status, headers: message.headers, body: call.stream })
        return this.#expect()
      case 'reply-data':
        // What comes for a caller that has left is dropped, or it would hold the worker up.
        if (this.#cancelling === undefined) call.stream?.add(Buffer.from(body))
        if (call.stream?.isFull !== true) this.#expect()
        return
      case 'reply-end':
        call.stream?.end()
        return this.#finish()
      case 'reply-broken':
        call.stream?.end(new Error(message.message))
        return this.#finish()
      case 'cancelled':
        call.stream?.end(new Error('The client left.'))
        call.reject(new Error('The client left.'))
        return this.#finish()
      case 'loaded':
      case 'load-failed':
        return
    }
  }

  #createStream(call: UserCall): ReplyStream {
    return new ReplyStream({
      onFull: () => {
        this.#worker?.pause()
        clearTimeout(this.#patience)
      },
      onDrained: () => {
        this.#worker?.resume()
        if (this.#call === call) this.#expect()
      },
      onAbandoned: () => this.#cancel(call),
    })
  }

  // Of every sign of life the next is expected within the same time, so a stream may last.
  #expect(): void {
    const { callMsMax } = this.#options
    clearTimeout(this.#patience)
    this.#patience = setTimeout(() => {
      const limit = `${callMsMax / 1000} s (SAGEMAKER_MODEL_SERVER_TIMEOUT)`
      this.#kill(`did not answer within ${limit} and was replaced`)
    }, callMsMax)
  }

  #cancel(call: UserCall): void {
    if (this.#call !== call || this.#cancelling !== undefined) return
    // What it still sends for this call must not wait for a reader that is gone.
    this.#worker?.resume()
    this.#worker?.interrupt()
    const startedAtMs = performance.now()
    this.#cancelling = setInterval(() => {
      if (performance.now() - startedAtMs < CANCEL_MS_MAX) this.#worker?.interrupt()
      else {
        const reason = `went on for ${CANCEL_MS_MAX / 1000} s after its caller had left`
        this.#kill(`${reason} and was replaced`)
      }
    }, INTERRUPT_INTERVAL_MS)
  }

  #kill(because: string): void {
    this.#killedBecause ??= because
    this.#worker?.kill()
  }

  #finish(): void {
    this.#release()
    this.#state = 'idle'
    this.#worker?.resume()
    this.#options.onIdle()
  }

  #release(): void {
    const call = this.#call
    this.#call = undefined
    clearTimeout(this.#patience)
    clearInterval(this.#cancelling)
    this.#cancelling = undefined
    if (call !== undefined && this.#onAbort !== undefined) {
      call.signal.removeEventListener('abort', this.#onAbort)
    }
  }

  #bury(how: string): void {
    const wasLoading = this.#state === 'loading'
    const { name } = this.#options.kind
    const reason = this.#loadFailure ?? this.#killedBecause ?? how
    const call = this.#call
    this.#release()
    this.#state = 'dead'
    this.#worker = undefined
    if (call !== undefined) {
      call.stream?.end(new Error(`The ${name} ${reason}.`))
      call.reject(new Rejection(500, `The ${name} ${reason}.`))
    }
    if (this.#isClosed) return
    this.lastWords = this.#loadFailure ?? `the ${name} ${reason}`
    const loading = this.#loadFailure ?? `The ${name} ${how} while it loaded the model.`
    if (wasLoading && !this.#options.onLoadFailed(loading)) return
    this.#restartLater()
    this.#options.onDeath()
  }

  #restartLater(): void {
    this.#deathCount += 1
    const backOffMs = RESTART_DELAY_MS_MIN * 2 ** (this.#deathCount - 1)
    const delayMs = Math.min(backOffMs, RESTART_DELAY_MS_MAX)
    this.#options.log('error', `${this.#options.kind.name} died`, {
      reason: this.lastWords,
      delayMs,
    })
    setTimeout(() => {
      if (!this.#isClosed) this.start()
    }, delayMs).unref()
  }
}
