import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { Patience } from '../../platform/patience.ts'
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
// A worker that has been busy with one call for longer may be so for long: nothing is handed to it ahead of time.
const BRISK_MS_MAX = 2

/** What a seat needs. */
export interface SeatOptions {
  readonly kind: WorkerKind
  /** A worker that is silent for so long within a call is replaced. */
  readonly callMsMax: number
  readonly log: Log
  /** The worker has loaded the model. */
  readonly onLoaded: (model: string) => void
  /** It takes a call, or one more. */
  readonly onRoom: () => void
  /** Calls that it was handed and that it has not begun, first come first. */
  readonly onTakenBack: (calls: readonly UserCall[]) => void
  /** It did not load the model. @returns whether to try again. */
  readonly onLoadFailed: (reason: string) => boolean
  readonly onDeath: () => void
}

/**
 * One place for a worker: loading → idle ⇄ busy with one call → dead → loading again, after a delay that doubles
 * with every death in a row and is forgotten at the first answer.
 *
 * While calls are short it is handed the next ones ahead of time: waking a worker for each, and being woken by its answer,
 * costs more than a small call does. One that it has not begun can be taken back, and is when the worker dies.
 */
export class Seat {
  readonly #options: SeatOptions
  #worker: UserWorker | undefined
  #state: 'loading' | 'idle' | 'busy' | 'dead' = 'dead'
  /** In the order in which the worker runs them: the first is running, unless it is just about to. */
  #calls: UserCall[] = []
  /** When the first of them became that. */
  #begunAtMs = 0
  readonly #patience = new Patience()
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

  /** Nothing tells that the call which it runs takes long. */
  get isBrisk(): boolean {
    return (
      this.#state === 'busy' &&
      this.#cancelling === undefined &&
      this.#calls[0]?.stream === undefined &&
      performance.now() - this.#begunAtMs < BRISK_MS_MAX
    )
  }

  /** It takes a call, or one more. */
  get hasRoom(): boolean {
    if (this.#state === 'idle') return true
    return this.#calls.length <= this.#options.kind.aheadMax && this.isBrisk
  }

  /** Calls beside the one that it runs. */
  get ahead(): readonly UserCall[] {
    return this.#calls.slice(1)
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

  /** Runs a call after those that it has; there is room for it. */
  run(call: UserCall): void {
    this.#state = 'busy'
    this.#calls.push(call)
    const { headers, body, method, path } = call.invocation
    const requestId = headers['x-amzn-requestid'] ?? randomUUID()
    this.#worker?.run(call.id, { method, path, headers, requestId }, body)
    if (this.#calls.length === 1) this.#begin()
    call.onAbort = () => this.#cancel(call)
    call.signal.addEventListener('abort', call.onAbort, { once: true })
  }

  /** Gives back the last so many calls, as far as the worker has not begun them. */
  takeBack(countMax: number): void {
    const last = this.#calls.slice(Math.max(0, this.#calls.length - countMax))
    const taken = last.filter(({ id }) => this.#worker?.takeBack(id))
    for (const call of taken) this.#remove(call)
    if (taken.length > 0) this.#options.onTakenBack(taken)
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
    const [call] = this.#calls
    if (call === undefined || call.id !== callId) return
    this.#deathCount = 0
    this.#answer(call, message, body)
  }

  #becomeLoaded(model: string): void {
    this.#state = 'idle'
    this.lastWords = ''
    this.#options.onLoaded(model)
    this.#options.onRoom()
  }

  #answer(call: UserCall, message: WorkerMessage, body: Buffer): void {
    switch (message.kind) {
      case 'reply':
        call.resolve({ status: message.status, headers: message.headers, body: Buffer.from(body) })
        return this.#finish(call)
      case 'reply-start':
        call.stream = this.#createStream(call)
        call.resolve({ status: message.status, headers: message.headers, body: call.stream })
        this.takeBack(this.ahead.length)
        return this.#expect()
      case 'reply-data':
        // What comes for a caller that has left is dropped, or it would hold the worker up.
        if (this.#cancelling === undefined) call.stream?.add(Buffer.from(body))
        if (call.stream?.isFull !== true) this.#expect()
        return
      case 'reply-end':
        call.stream?.end()
        return this.#finish(call)
      case 'reply-broken':
        call.stream?.end(new Error(message.message))
        return this.#finish(call)
      case 'cancelled':
        call.stream?.end(new Error('The client left.'))
        call.reject(new Error('The client left.'))
        return this.#finish(call)
      case 'loaded':
      case 'load-failed':
        return
    }
  }

  #createStream(call: UserCall): ReplyStream {
    return new ReplyStream({
      onFull: () => {
        this.#worker?.pause()
        this.#patience.end()
      },
      onDrained: () => {
        this.#worker?.resume()
        if (this.#calls[0] === call) this.#expect()
      },
      onAbandoned: () => this.#cancel(call),
    })
  }

  // Of every sign of life the next is expected within the same time, so a stream may last.
  #expect(): void {
    const { callMsMax } = this.#options
    this.#patience.begin(callMsMax, () => {
      const limit = `${callMsMax / 1000} s (SAGEMAKER_MODEL_SERVER_TIMEOUT)`
      this.#kill(`did not answer within ${limit} and was replaced`)
    })
  }

  #cancel(call: UserCall): void {
    if (this.#calls.includes(call) && this.#worker?.takeBack(call.id) === true) {
      call.reject(new Error('The client left before its call ran.'))
      return this.#finish(call)
    }
    // One that has begun behind the first: the answer of that is on its way, and this one's turn comes with it.
    if (this.#calls[0] !== call || this.#cancelling !== undefined) return
    // What it still sends for this call must not wait for a reader that is gone.
    this.#worker?.resume()
    this.#worker?.interrupt(call.id)
    const startedAtMs = performance.now()
    this.#cancelling = setInterval(() => {
      if (performance.now() - startedAtMs < CANCEL_MS_MAX) this.#worker?.interrupt(call.id)
      else {
        const reason = `went on for ${CANCEL_MS_MAX / 1000} s after its caller had left`
        this.#kill(`${reason} and was replaced`)
      }
    }, INTERRUPT_INTERVAL_MS)
    this.takeBack(this.ahead.length)
  }

  #kill(because: string): void {
    this.#killedBecause ??= because
    this.#worker?.kill()
  }

  #begin(): void {
    this.#begunAtMs = performance.now()
    this.#expect()
  }

  #finish(call: UserCall): void {
    const wasFirst = this.#calls[0] === call
    this.#remove(call)
    if (wasFirst) this.#stopWatching()
    const [next] = this.#calls
    if (next === undefined) this.#state = 'idle'
    else if (wasFirst) {
      this.#begin()
      if (next.signal.aborted) this.#cancel(next)
    }
    this.#options.onRoom()
  }

  #remove(call: UserCall): void {
    this.#calls = this.#calls.filter((other) => other !== call)
    if (call.onAbort !== undefined) call.signal.removeEventListener('abort', call.onAbort)
  }

  #stopWatching(): void {
    this.#patience.end()
    clearInterval(this.#cancelling)
    this.#cancelling = undefined
    this.#worker?.resume()
  }

  #bury(how: string): void {
    const wasLoading = this.#state === 'loading'
    const { name } = this.#options.kind
    const reason = this.#loadFailure ?? this.#killedBecause ?? how
    if (!this.#isClosed) this.takeBack(this.#calls.length)
    this.#state = 'dead'
    this.#stopWatching()
    this.#worker = undefined
    for (const call of this.#calls) {
      this.#remove(call)
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
