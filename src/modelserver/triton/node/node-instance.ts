import { backOffDelayMs } from '../../../domain/back-off.ts'
import { Patience } from '../../../platform/patience.ts'
import type { Log } from '../../log.ts'
import { NodeThread } from '../../node/thread.ts'
import type { ThreadLaunch } from '../../node/thread.ts'
import type { FromTensorThread, ToTensorThread } from '../../node/worker/tensor-messages.ts'
import type { DeclaredSignature, GivenTensor } from '../../node/worker/tensors.ts'
import type { ExecutionTimes, InferenceRequest, ModelInstance } from '../backend.ts'
import { nowNs } from '../clock.ts'
import { gatherInputs, scatterOutputs } from '../gather.ts'
import { cancelled } from '../runner.ts'
import { ServingError } from '../serving-error.ts'

/** What an instance needs. */
export interface NodeInstanceOptions {
  readonly launch: ThreadLaunch
  /** As Triton names it. */
  readonly name: string
  /** How long a model may be silent within a run; 0 for ever. */
  readonly callMsMax: number
  readonly log: Log
}

interface Run {
  readonly onOutputs: (outputs: readonly GivenTensor[]) => void
  readonly settled: PromiseWithResolvers<Executed>
  /** Nobody waits for it: it has its last time to end. */
  isCancelled: boolean
}

type Executed = Pick<ExecutionTimes, 'inputEndNs' | 'outputStartNs'>

const RESTARTS = { freeCount: 1, firstDelayMs: 100, delayMsMax: 30_000 }
// How long user code may go on when nobody waits any more, before its thread is replaced.
const CANCEL_MS_MAX = 5_000

/** One copy of a model of user code in a thread of its own, started again when it dies. */
export class NodeInstance implements ModelInstance {
  readonly #options: NodeInstanceOptions
  #thread: NodeThread<ToTensorThread, FromTensorThread> | undefined
  #loaded: Promise<DeclaredSignature>
  #run: Run | undefined
  readonly #patience = new Patience()
  #killedBecause: string | undefined
  #deathCount = 0
  #wasLoaded = false
  #isClosed = false

  constructor(options: NodeInstanceOptions) {
    this.#options = options
    this.#loaded = this.#start()
  }

  /** What the model takes and gives. @throws ServingError it cannot be loaded. */
  get signature(): Promise<DeclaredSignature> {
    return this.#loaded
  }

  async execute(requests: readonly InferenceRequest[]): Promise<ExecutionTimes> {
    const computeStartNs = nowNs()
    let times = { inputEndNs: computeStartNs, outputStartNs: computeStartNs }
    try {
      const { isDecoupled } = await this.#loaded
      if (isDecoupled) for (const request of requests) times = await this.#stream(request)
      else times = await this.#answer(requests)
    } catch (error) {
      for (const request of requests) request.fail(error)
    }
    return { computeStartNs, ...times, computeEndNs: nowNs() }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#thread?.close()
  }

  async #answer(requests: readonly InferenceRequest[]): Promise<Executed> {
    let outputs: readonly GivenTensor[] = []
    const times = await this.#execute(requests, (given) => (outputs = given))
    const shares = scatterOutputs(outputs, requests)
    for (const [index, request] of requests.entries()) {
      request.respond({ outputs: shares[index] ?? [] }, true)
    }
    return times
  }

  async #stream(request: InferenceRequest): Promise<Executed> {
    try {
      const { requestedOutputs } = request
      const times = await this.#execute([request], (outputs) => {
        const wanted = outputs.filter(({ name }) => requestedOutputs.includes(name))
        request.respond({ outputs: wanted }, false)
      })
      request.respond({ outputs: [] }, true)
      return times
    } catch (error) {
      request.fail(error)
      const endedNs = nowNs()
      return { inputEndNs: endedNs, outputStartNs: endedNs }
    }
  }

  async #execute(
    requests: readonly InferenceRequest[],
    onOutputs: Run['onOutputs'],
  ): Promise<Executed> {
    const thread = this.#thread
    if (thread === undefined)
      throw new ServingError('INTERNAL', 'the instance has ended', 'BACKEND')
    // It may have waited behind another one of its batch, or for a thread that was started again.
    if (requests.every(({ signal }) => signal.aborted)) throw cancelled()
    const { buffer, inputs } = gatherInputs(requests)
    const heads = requests.map(({ id, parameters, batchSize }) => {
      return {
        id,
        parameters: Object.fromEntries(parameters),
        rowCount: Math.max(1, batchSize),
      }
    })
    const settled = Promise.withResolvers<Executed>()
    const run = { onOutputs, settled, isCancelled: false }
    this.#run = run
    const cancelling = new Cancelling(requests, () => this.#cancel(thread, run))
    try {
      thread.post({ kind: 'run', buffer, inputs, requests: heads }, [buffer])
      this.#expect(thread)
      const times = await settled.promise
      this.#deathCount = 0
      return times
    } finally {
      cancelling.stop()
      this.#patience.end()
      this.#run = undefined
    }
  }

  #expect(thread: NodeThread<ToTensorThread, FromTensorThread>): void {
    const { callMsMax } = this.#options
    if (callMsMax === 0) return
    const because = `did not answer within ${callMsMax / 1000} s (node,call-timeout-seconds)`
    this.#patience.begin(callMsMax, () => this.#kill(thread, because))
  }

  #cancel(thread: NodeThread<ToTensorThread, FromTensorThread>, run: Run): void {
    run.isCancelled = true
    thread.post({ kind: 'cancel' })
    const because = `went on for ${CANCEL_MS_MAX / 1000} s after nobody waited any more`
    this.#patience.begin(CANCEL_MS_MAX, () => this.#kill(thread, because))
  }

  #kill(thread: NodeThread<ToTensorThread, FromTensorThread>, because: string): void {
    this.#killedBecause = because
    thread.kill()
  }

  #start(): Promise<DeclaredSignature> {
    const { promise, resolve, reject } = Promise.withResolvers<DeclaredSignature>()
    // It may be that nobody waits for it by the time it fails.
    promise.catch(() => undefined)
    this.#killedBecause = undefined
    const thread = new NodeThread<ToTensorThread, FromTensorThread>(this.#options.launch, {
      onMessage: (message) => {
        if (message.kind === 'loaded') {
          this.#wasLoaded = true
          resolve(message.signature)
        } else if (message.kind === 'load-failed') {
          reject(new ServingError('INTERNAL', message.message))
        } else this.#receive(thread, message)
      },
      onExit: (how) => {
        reject(new ServingError('INTERNAL', `The Node worker ${how} while it loaded the model.`))
        this.#bury(this.#killedBecause ?? how)
      },
    })
    this.#thread = thread
    return promise
  }

  #receive(
    thread: NodeThread<ToTensorThread, FromTensorThread>,
    message: Exclude<FromTensorThread, { kind: 'loaded' | 'load-failed' }>,
  ): void {
    const run = this.#run
    if (run === undefined) return
    switch (message.kind) {
      case 'outputs':
        if (!run.isCancelled) this.#expect(thread)
        return run.onOutputs(message.outputs)
      case 'executed':
        return run.settled.resolve(message)
      case 'run-failed':
        return run.settled.reject(this.#failure(message.message, message.statusCode))
    }
  }

  // Source of the text: Triton `python_be.cc`. A status that the author chose comes with a message for the caller.
  #failure(message: string, statusCode: number | undefined): ServingError {
    if (statusCode !== undefined) return new ServingError(codeOf(statusCode), message, 'BACKEND')
    const text = `Failed to process the request(s) for model '${this.#options.name}', message: ${message}`
    return new ServingError('INTERNAL', text, 'BACKEND')
  }

  #bury(how: string): void {
    this.#thread = undefined
    const { log, name } = this.#options
    this.#run?.settled.reject(this.#failure(`The Node worker ${how}.`, undefined))
    // What has never been loaded will not load the next time either.
    if (this.#isClosed || !this.#wasLoaded) return
    this.#deathCount += 1
    const delayMs = backOffDelayMs(this.#deathCount, RESTARTS)
    log('error', 'Node worker died', { instance: name, reason: how, delayMs })
    this.#loaded = new Promise((resolve) => setTimeout(resolve, delayMs)).then(() => {
      if (this.#isClosed) throw new ServingError('UNAVAILABLE', 'the model is being unloaded')
      return this.#start()
    })
    this.#loaded.catch(() => undefined)
  }
}

/** Tells once that nobody waits for any of the requests. */
class Cancelling {
  readonly #requests: readonly InferenceRequest[]
  readonly #listen: () => void

  constructor(requests: readonly InferenceRequest[], onAllGone: () => void) {
    this.#requests = requests
    this.#listen = () => {
      if (requests.every(({ signal }) => signal.aborted)) onAllGone()
    }
    for (const { signal } of requests) signal.addEventListener('abort', this.#listen)
  }

  stop(): void {
    for (const { signal } of this.#requests) signal.removeEventListener('abort', this.#listen)
  }
}

function codeOf(statusCode: number): ConstructorParameters<typeof ServingError>[0] {
  if (statusCode === 404) return 'NOT_FOUND'
  if (statusCode === 501) return 'UNSUPPORTED'
  if (statusCode === 503) return 'UNAVAILABLE'
  return statusCode < 500 ? 'INVALID_ARG' : 'INTERNAL'
}
