import type { Worker } from 'node:worker_threads'
import type { Signature } from '../../codecs/signature.ts'
import type { Log } from '../../log.ts'
import { startThread } from '../../onnx/start-thread.ts'
import type {
  ExecutionTimes,
  FollowUp,
  InferenceRequest,
  KeptRun,
  ModelInstance,
} from '../backend.ts'
import type { BatchForm } from '../batch-form.ts'
import { nowNs } from '../clock.ts'
import { gatherInputs, scatterOutputs } from '../gather.ts'
import { ServingError } from '../serving-error.ts'
import { AttachedModels } from './attached-models.ts'
import type { BatchRun, FollowUpRun, FromInstance, InstanceData } from './instance-messages.ts'
import type { KeptRuns } from './kept-runs.ts'
import { instanceWorkerUrl } from './instance-worker-url.ts'

// A model that ends its thread at every run must not keep a processor busy with loading.
const RESTART_DELAY_MS_MIN = 100
const RESTART_DELAY_MS_MAX = 30_000

type Executed = Extract<FromInstance, { kind: 'executed' }>

/** One copy of an ONNX model in a thread of its own, started again when it dies. */
export class OnnxInstance implements ModelInstance {
  readonly #data: InstanceData
  readonly #kept: KeptRuns
  readonly #attached = new AttachedModels((message) => this.#worker?.postMessage(message))
  readonly #form: BatchForm | undefined
  readonly #log: Log
  #worker: Worker | undefined
  #loaded: Promise<Signature>
  #settleRun: PromiseWithResolvers<Executed> | undefined
  #deathCount = 0
  #isClosed = false
  #wasLoaded = false

  constructor(kept: KeptRuns, form: BatchForm | undefined, log: Log) {
    this.#data = kept.data
    this.#kept = kept
    this.#form = form
    this.#log = log
    this.#loaded = this.#start()
  }

  /** What the model takes and gives. @throws ServingError it cannot be loaded. */
  get signature(): Promise<Signature> {
    return this.#loaded
  }

  async execute(
    requests: readonly InferenceRequest[],
    followUps: readonly FollowUp[] = [],
  ): Promise<ExecutionTimes> {
    const computeStartNs = nowNs()
    const kept = this.#kept.find(requests)
    if (kept !== undefined) return answerKept(kept, requests, computeStartNs)
    let followUpsNs = 0
    let times = { inputEndNs: computeStartNs, outputStartNs: computeStartNs }
    try {
      await this.#loaded
      const executed = await this.#runBatch(requests, followUps)
      times = executed
      followUpsNs = executed.followUpsNs
      this.#deathCount = 0
      keepFollowUps(executed, followUps)
      answer(executed, requests, this.#form)
    } catch (error) {
      for (const request of requests) request.fail(error)
    }
    const { inputEndNs, outputStartNs } = times
    return { computeStartNs, inputEndNs, outputStartNs, computeEndNs: nowNs() - followUpsNs }
  }

  async #runBatch(
    requests: readonly InferenceRequest[],
    asked: readonly FollowUp[],
  ): Promise<Executed> {
    const outputNames = unionOf(requests.map(({ requestedOutputs }) => requestedOutputs))
    const runWith = (followUps: readonly FollowUpRun[]): Promise<Executed> => {
      return this.#run({
        kind: 'run',
        ...gatherInputs(requests, this.#form),
        outputNames,
        followUps,
      })
    }
    const followUps = this.#form === undefined ? this.#attached.choose(asked) : []
    try {
      return await runWith(followUps)
    } catch (error) {
      if (followUps.length === 0 || this.#worker !== undefined) throw error
      // The batch is not to blame when a follow-up took its thread away.
      await this.#loaded
      return await runWith([])
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#kept.close()
    this.#attached.close()
    await this.#worker?.terminate()
  }

  #run(run: BatchRun & { readonly kind: 'run' }): Promise<Executed> {
    const worker = this.#worker
    if (worker === undefined)
      throw new ServingError('INTERNAL', 'the instance has ended', 'BACKEND')
    this.#settleRun = Promise.withResolvers<Executed>()
    worker.postMessage(run, [run.buffer])
    return this.#settleRun.promise
  }

  #start(): Promise<Signature> {
    const { promise, resolve, reject } = Promise.withResolvers<Signature>()
    // It may be that nobody waits for it by the time it fails.
    promise.catch(() => undefined)
    const worker = startThread(instanceWorkerUrl(), this.#data)
    this.#worker = worker
    let lastWords = ''
    worker.on('error', (error: unknown) => (lastWords = String(error)))
    worker.on('message', (message: FromInstance) => {
      if (message.kind === 'loaded') {
        this.#wasLoaded = true
        resolve(message.signature)
      } else if (message.kind === 'failed') reject(new ServingError('INTERNAL', message.message))
      else if (message.kind === 'attached') this.#attached.add(message.key)
      else if (message.kind === 'executed') this.#settleRun?.resolve(message)
      else this.#settleRun?.reject(runtimeError(message.message))
    })
    worker.on('exit', (code) => {
      const reason = lastWords === '' ? `exit code ${code}` : lastWords
      reject(new ServingError('INTERNAL', `the inference thread died while loading: ${reason}`))
      this.#bury(reason)
    })
    return promise
  }

  #bury(reason: string): void {
    this.#worker = undefined
    this.#attached.close()
    const died = `the inference thread died of this request: ${reason}`
    this.#settleRun?.reject(new ServingError('INTERNAL', died, 'BACKEND'))
    // What has never been loaded will not load the next time either.
    if (this.#isClosed || !this.#wasLoaded) return
    this.#deathCount += 1
    const backOffMs = RESTART_DELAY_MS_MIN * 2 ** (this.#deathCount - 1)
    const delayMs = Math.min(backOffMs, RESTART_DELAY_MS_MAX)
    this.#log('error', 'inference thread died', { reason, delayMs })
    this.#loaded = new Promise((resolve) => setTimeout(resolve, delayMs)).then(() => {
      if (this.#isClosed) throw new ServingError('UNAVAILABLE', 'the model is being unloaded')
      return this.#start()
    })
    this.#loaded.catch(() => undefined)
  }
}

// Its times are those that the run took, from now on.
function answerKept(
  { outputs, inputNs, inferNs }: KeptRun,
  requests: readonly InferenceRequest[],
  computeStartNs: number,
): ExecutionTimes {
  const inputEndNs = computeStartNs + inputNs
  const outputStartNs = inputEndNs + inferNs
  const startNs = nowNs()
  try {
    answer({ outputs }, requests, undefined)
  } catch (error) {
    for (const request of requests) request.fail(error)
  }
  const computeEndNs = outputStartNs + nowNs() - startNs
  return { computeStartNs, inputEndNs, outputStartNs, computeEndNs }
}

function keepFollowUps({ outputs, followUps: results }: Executed, asked: readonly FollowUp[]) {
  for (const [place, result] of results.entries()) {
    const { model, inputs = [] } = asked[place] ?? {}
    const given = inputs.flatMap(({ name, from, output }) => {
      const source = from < 0 ? outputs : results[from]?.outputs
      const tensor = source?.find((one) => one.name === output)
      return tensor === undefined ? [] : { ...tensor, name }
    })
    model?.keep({ ...result, inputs: given })
  }
}

function answer(
  { outputs }: Pick<Executed, 'outputs'>,
  requests: readonly InferenceRequest[],
  form: BatchForm | undefined,
): void {
  const inOrder = outputs.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const shares = scatterOutputs(inOrder, requests, form)
  for (const [index, request] of requests.entries()) {
    request.respond({ outputs: shares[index] ?? [] }, true)
  }
}

function unionOf(lists: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = lists
  return others.length === 0 ? first : [...new Set(lists.flat())]
}

// Source: OrtErrorCode; the binding does not hand the number on, so it is told by the message.
function runtimeError(message: string): ServingError {
  const isInvalid = /Got invalid dimensions|Invalid rank|Unexpected input data type/.test(message)
  const code = isInvalid ? 2 : 6
  return new ServingError('INTERNAL', `onnx runtime error ${code}: ${message}`, 'BACKEND')
}
