import { Patience } from '../../../platform/patience.ts'
import type { WorkerFrame } from '../../python/channel.ts'
import { PythonWorker } from '../../python/python-worker.ts'
import type { PythonLaunch } from '../../python/python-worker.ts'
import { ServingError } from '../serving-error.ts'
import { parseTritonMessage, TO_WORKER } from './messages.ts'
import type { ModelAnswer, TritonMessage, WorkerWish } from './messages.ts'

type JsonObject = Readonly<Record<string, unknown>>

/** Who hears of a process what it says by itself. */
export interface ProcessListener {
  /** An answer by a response sender. */
  readonly onResponse: (number: number, answer: ModelAnswer, isFinal: boolean) => void

  readonly onWish: (number: number, wish: WorkerWish) => void
  /** It is gone, in words that complete "the Python worker …". */
  readonly onExit: (how: string) => void
}

/** What a process is started with. */
export interface ProcessOptions {
  readonly launch: PythonLaunch
  /** As Triton names it: `<model>_<group>_<index>`. */
  readonly instanceName: string
  /** How long Python may take to start. */
  readonly startMsMax: number
  /** How long user code may be silent within a call; 0 for ever. */
  readonly callMsMax: number
}

// Source: reference §9.1, the limit of is_ready.
const READINESS_MS_MAX = 5_000
// Models may save something when they end; the server's own exit timeout is above it.
const FINALIZE_MS_MAX = 30_000

/** One process of `berth_worker.triton`: started, prepared, initialized, then it executes one batch at a time. */
export class PythonProcess {
  readonly #worker: PythonWorker
  readonly #options: ProcessOptions
  readonly #listener: ProcessListener
  /** What is being waited for; the worker does one thing at a time. */
  #pending: PromiseWithResolvers<TritonMessage> | undefined
  readonly #patience = new Patience()
  #patienceMs = 0
  readonly #readiness = new Map<number, (isReady: boolean) => void>()
  #lastNumber = 0
  #death: ServingError | undefined
  #killedBecause: string | undefined

  constructor(options: ProcessOptions, listener: ProcessListener) {
    this.#options = options
    this.#listener = listener
    this.#worker = new PythonWorker(options.launch, {
      onFrame: (frame) => this.#receive(frame),
      onExit: (how) => this.#bury(how),
    })
  }

  get pid(): number | undefined {
    return this.#worker.pid
  }

  /** Resolves when Python runs, before it has seen user code. @throws ServingError */
  async start(): Promise<void> {
    await this.#wait(this.#options.startMsMax)
  }

  /** Imports the model's code. @returns the configuration that it completed, if it does that. @throws ServingError */
  async prepare(head: JsonObject): Promise<JsonObject | undefined> {
    const message = await this.#ask(TO_WORKER.prepare, head)
    return message.kind === 'prepared' ? message.completed : undefined
  }

  /** Makes the model. @throws ServingError */
  async initialize(head: JsonObject): Promise<void> {
    await this.#ask(TO_WORKER.initialize, head)
  }

  /** Runs a batch. @throws ServingError the process died of it. */
  execute(head: JsonObject, parts: readonly Uint8Array[]): Promise<TritonMessage> {
    return this.#ask(TO_WORKER.execute, head, parts)
  }

  /** Tells the model that nobody waits for the answer to a request. */
  cancel(number: number): void {
    this.#worker.send(TO_WORKER.cancel, number, {})
  }

  /** Answers a call of the model. */
  reply(number: number, head: JsonObject, parts: readonly Uint8Array[] = []): void {
    this.#worker.send(TO_WORKER.callReply, number, head, ...parts)
  }

  /** What the model itself says of its readiness; no answer within the limit means no. */
  isReady(): Promise<boolean> {
    if (this.#death !== undefined) return Promise.resolve(false)
    const number = (this.#lastNumber = (this.#lastNumber + 1) % 2 ** 32)
    return new Promise((resolve) => {
      const settle = (isReady: boolean): void => {
        patience.end()
        this.#readiness.delete(number)
        resolve(isReady)
      }
      const patience = new Patience()
      patience.begin(READINESS_MS_MAX, () => settle(false))
      this.#readiness.set(number, settle)
      this.#worker.send(TO_WORKER.askReadiness, number, {})
    })
  }

  /** Ends it at once; what it runs fails with this reason. */
  kill(because: string): void {
    this.#killedBecause ??= because
    this.#worker.kill()
  }

  /** Lets the model finalize, then ends it. */
  close(): Promise<void> {
    return this.#worker.close(FINALIZE_MS_MAX)
  }

  #ask(kind: number, head: JsonObject, parts: readonly Uint8Array[] = []): Promise<TritonMessage> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    this.#worker.send(kind, 0, head, ...parts)
    return this.#wait(this.#options.callMsMax)
  }

  async #wait(limitMs: number): Promise<TritonMessage> {
    if (this.#death !== undefined) throw this.#death
    const pending = Promise.withResolvers<TritonMessage>()
    this.#pending = pending
    this.#patienceMs = limitMs
    this.#expect()
    const message = await pending.promise
    if (message.kind === 'load-failed') throw new ServingError('INTERNAL', message.message)
    return message
  }

  // Of every sign of life the next is expected within the same time.
  #expect(): void {
    this.#patience.end()
    const limitMs = this.#patienceMs
    if (limitMs === 0 || this.#pending === undefined) return
    this.#patience.begin(limitMs, () => {
      this.kill(`did not answer within ${limitMs / 1000} s and was replaced`)
    })
  }

  #receive(frame: WorkerFrame): void {
    const message = parseTritonMessage(frame)
    switch (message.kind) {
      case 'started':
      case 'prepared':
      case 'loaded':
      case 'load-failed':
      case 'executed':
        this.#settle((pending) => pending.resolve(message))
        return
      case 'readiness':
        this.#readiness.get(frame.callId)?.(message.isReady)
        return
      case 'response':
        this.#listener.onResponse(frame.callId, message.answer, message.isFinal)
        return this.#expect()
      case 'call':
      case 'end-call':
      case 'log':
      case 'metric-released':
        this.#listener.onWish(frame.callId, message)
        return this.#expect()
    }
  }

  #settle(settle: (pending: PromiseWithResolvers<TritonMessage>) => void): void {
    this.#patience.end()
    const pending = this.#pending
    this.#pending = undefined
    if (pending !== undefined) settle(pending)
  }

  #bury(how: string): void {
    const reason = this.#killedBecause ?? how
    const { instanceName } = this.#options
    // Source: Triton's sentence, with what became of the process behind it.
    const message = `Stub process '${instanceName}' is not healthy: it ${reason}.`
    const death = new ServingError('INTERNAL', message, 'BACKEND')
    this.#death = death
    for (const settle of this.#readiness.values()) settle(false)
    this.#settle((pending) => pending.reject(death))
    this.#listener.onExit(reason)
  }
}
