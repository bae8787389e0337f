import { chooseNeededSteps, chooseReadySteps, passShape } from '../../domain/ensemble.ts'
import type { EnsembleStep } from '../../domain/ensemble.ts'
import type { Parameters } from '../../wire/oip/request-parameters.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { ExecutionTimes, InferenceResponse } from './backend.ts'
import { nowNs } from './clock.ts'
import type { Enqueued } from './enqueued.ts'
import { FollowUps } from './follow-ups.ts'
import type { ModelConfig } from './model-config.ts'
import { Drain, stopped } from './runner.ts'
import type { Runner } from './runner.ts'
import { submit } from './served-version.ts'
import type { ServedVersion } from './served-version.ts'
import { ServingError, toServingError } from './serving-error.ts'
import type { Statistics } from './statistics.ts'

/** What an ensemble needs. */
export interface EnsembleOptions {
  readonly config: ModelConfig
  readonly steps: readonly EnsembleStep[]
  /** Finds the version that serves a step now. @throws ServingError */
  readonly find: (step: EnsembleStep) => ServedVersion
  readonly statistics: Statistics
  /** How long the thread of one step's model may run what follows, in microseconds; 0: each model runs in its own. */
  readonly runAheadUsMax: number
}

/** Runs the requests of an ensemble through its steps, each as soon as its tensors are there. */
export class EnsembleRunner implements Runner {
  readonly #options: RunOptions
  readonly #drain = new Drain(() => this.#outstandingCount)
  #outstandingCount = 0

  constructor(options: EnsembleOptions) {
    const { steps, find, runAheadUsMax: usMax } = options
    const followUps = steps.map((_step, firstIndex) => {
      const ofStep = new FollowUps({ steps, firstIndex, usMax, find })
      return usMax === 0 || ofStep.isEmpty ? undefined : ofStep
    })
    this.#options = { ...options, followUps }
  }

  get outstandingCount(): number {
    return this.#outstandingCount
  }

  enqueue(request: Enqueued): void {
    if (this.#drain.isBegun) return request.fail(stopped())
    this.#outstandingCount += 1
    new EnsembleRun(this.#options, request, () => this.#leave()).advance()
  }

  drain(): Promise<void> {
    return this.#drain.begin()
  }

  #leave(): void {
    this.#outstandingCount -= 1
    this.#drain.settle()
  }
}

interface StoredTensor {
  readonly tensor: Tensor
  /** Its first dimension is that of the batch. */
  readonly isBatched: boolean
}

interface RunOptions extends EnsembleOptions {
  /** What the ensemble does with the outputs of each step, where that can be told. */
  readonly followUps: readonly (FollowUps | undefined)[]
}

/** One request on its way through the steps. */
class EnsembleRun {
  readonly #options: RunOptions
  readonly #request: Enqueued
  readonly #whenOver: () => void
  /** Undefined stands for an optional tensor that nobody gave. */
  readonly #tensors = new Map<string, StoredTensor | undefined>()
  readonly #needed: ReadonlySet<number>
  readonly #started = new Set<number>()
  readonly #times: ExecutionTimes[] = []
  readonly #queueStartNs = nowNs()
  /** A step's answer may change them for the steps after it. */
  #flags: SequenceFlags
  /** Steps that have not answered, or whose times are not known yet. */
  #openCount = 0
  #failure: ServingError | undefined
  #isAnswered = false
  #isLeft = false

  constructor(options: RunOptions, request: Enqueued, whenOver: () => void) {
    this.#options = options
    this.#request = request
    this.#whenOver = whenOver
    const { config, steps } = options
    this.#flags = request
    const isBatched = config.maxBatchSize > 0
    for (const { name } of config.inputs) {
      const tensor = request.inputs.find((input) => input.name === name)
      this.#tensors.set(name, tensor && { tensor, isBatched })
    }
    this.#needed = chooseNeededSteps(steps, request.requestedOutputs)
  }

  /** Answers if all is there, and starts what can start. */
  advance(): void {
    const { steps } = this.#options
    if (this.#failure === undefined && !this.#isAnswered) {
      const { requestedOutputs } = this.#request
      if (requestedOutputs.every((name) => this.#tensors.has(name))) this.#answer()
      else {
        for (const index of chooseReadySteps(steps, this.#needed, this.#started, this.#tensors)) {
          const step = steps[index]
          this.#started.add(index)
          if (step !== undefined && this.#failure === undefined) this.#start(step, index)
        }
      }
    }
    this.#leaveWhenDone()
  }

  #start(step: EnsembleStep, index: number): void {
    const { signal, id, parameters, priority, timeoutMs, trace } = this.#request
    const { correlationId, isSequenceStart, isSequenceEnd } = this.#flags
    const { steps, followUps } = this.#options
    this.#openCount += 1
    try {
      const served = this.#options.find(step)
      const request = {
        id,
        inputs: this.#inputsOf(step, served.config),
        outputNames: Object.keys(step.tensorByOutput),
        parameters,
        priority,
        timeoutUs: timeoutMs * 1000,
        correlationId,
        isSequenceStart,
        isSequenceEnd,
        signal,
        trace: trace?.createChild(),
        // Steps that are not needed are not run ahead either.
        followUps: this.#needed.size === steps.length ? followUps[index] : undefined,
        onExecuted: (times: ExecutionTimes) => {
          this.#times.push(times)
          this.#openCount -= 1
          this.#leaveWhenDone()
        },
      }
      submit(served, request, {
        respond: (response, isFinal) => {
          this.#store(step, served.config, response)
          if (isFinal) this.advance()
        },
        fail: (error) => this.#fail(error),
      })
    } catch (error) {
      this.#fail(toServingError(error))
    }
  }

  #inputsOf({ tensorByInput }: EnsembleStep, config: ModelConfig): readonly Tensor[] {
    return Object.entries(tensorByInput).flatMap(([name, tensorName]) => {
      const stored = this.#tensors.get(tensorName)
      if (stored === undefined) return []
      const { tensor, isBatched } = stored
      const shape = passShape(tensor.shape, isBatched, config.maxBatchSize > 0)
      if (shape !== undefined) return { ...tensor, name, shape }
      throw new ServingError(
        'INVALID_ARG',
        `ensemble tensor '${tensorName}' has ${tensor.shape[0]} rows, and model '${config.name}' takes one at a time`,
      )
    })
  }

  #store(step: EnsembleStep, config: ModelConfig, response: InferenceResponse): void {
    const { outputs, parameters } = response
    this.#flags = overrideFlags(this.#flags, parameters)
    for (const [output, tensorName] of Object.entries(step.tensorByOutput)) {
      const tensor = outputs.find(({ name }) => name === output)
      this.#tensors.set(tensorName, tensor && { tensor, isBatched: config.maxBatchSize > 0 })
    }
  }

  #answer(): void {
    const { config } = this.#options
    const outputs: Tensor[] = []
    for (const name of this.#request.requestedOutputs) {
      const stored = this.#tensors.get(name)
      const shape =
        stored && passShape(stored.tensor.shape, stored.isBatched, config.maxBatchSize > 0)
      if (stored === undefined || shape === undefined) {
        const message =
          'unexpected deadlock, at least one output is not set while no more ensemble steps can be made'
        this.#failure = this.#inEnsemble(new ServingError('INVALID_ARG', message))
        return
      }
      outputs.push({ ...stored.tensor, name, shape })
    }
    this.#isAnswered = true
    this.#request.respond({ outputs }, true)
  }

  #fail(error: ServingError): void {
    this.#openCount -= 1
    this.#failure ??= this.#inEnsemble(error)
    this.#leaveWhenDone()
  }

  #inEnsemble({ code, message, reason }: ServingError): ServingError {
    const own = message.replace(/^\[request id: [^\]]*\] /, '')
    const shown = this.#request.id === '' ? '<id_unknown>' : this.#request.id
    const { name } = this.#options.config
    return new ServingError(code, `[request id: ${shown}] in ensemble '${name}', ${own}`, reason)
  }

  // What runs is waited for, whether the answer is known or not.
  #leaveWhenDone(): void {
    if (this.#openCount > 0 || this.#isLeft) return
    const { statistics } = this.#options
    const { requestStartNs, batchSize } = this.#request
    if (this.#isAnswered) {
      this.#isLeft = true
      const times = sumTimes(this.#times, this.#queueStartNs)
      const requestEndNs = nowNs()
      const queueStartNs = this.#queueStartNs
      statistics.recordExecution(times, batchSize)
      statistics.recordSuccess({ ...times, requestStartNs, queueStartNs, requestEndNs }, batchSize)
      this.#request.onExecuted?.(times)
    } else {
      this.#isLeft = true
      const message =
        'unexpected deadlock, at least one output is not set while no more ensemble steps can be made'
      const failure = this.#failure ?? this.#inEnsemble(new ServingError('INVALID_ARG', message))
      statistics.recordFailure(nowNs() - requestStartNs, failure.reason)
      this.#request.fail(failure)
    }
    this.#whenOver()
  }
}

type SequenceFlags = Pick<Enqueued, 'correlationId' | 'isSequenceStart' | 'isSequenceEnd'>

// Source: reference §7.2.
function overrideFlags(flags: SequenceFlags, parameters: Parameters = new Map()): SequenceFlags {
  const id = parameters.get('sequence_id')
  const start = parameters.get('sequence_start')
  const end = parameters.get('sequence_end')
  return {
    correlationId: typeof id === 'string' || typeof id === 'bigint' ? id : flags.correlationId,
    isSequenceStart: typeof start === 'boolean' ? start : flags.isSequenceStart,
    isSequenceEnd: typeof end === 'boolean' ? end : flags.isSequenceEnd,
  }
}

/** One execution as long as all of them together, beginning when the first began. */
function sumTimes(all: readonly ExecutionTimes[], fallbackNs: number): ExecutionTimes {
  const startNs = all.reduce((first, one) => Math.min(first, one.computeStartNs), Infinity)
  const computeStartNs = Number.isFinite(startNs) ? startNs : fallbackNs
  let [inputNs, inferNs, outputNs] = [0, 0, 0]
  for (const one of all) {
    inputNs += one.inputEndNs - one.computeStartNs
    inferNs += one.outputStartNs - one.inputEndNs
    outputNs += one.computeEndNs - one.outputStartNs
  }
  const inputEndNs = computeStartNs + inputNs
  const outputStartNs = inputEndNs + inferNs
  return { computeStartNs, inputEndNs, outputStartNs, computeEndNs: outputStartNs + outputNs }
}
