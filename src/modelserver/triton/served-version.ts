import type { Parameters } from '../../wire/oip/request-parameters.ts'
import type { ExecutionTimes, InferenceResponse, LoadedModel, NextRuns } from './backend.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import { nowNs } from './clock.ts'
import { withRequestId } from './enqueued.ts'
import type { Enqueued } from './enqueued.ts'
import type { Labels } from './labels.ts'
import type { ModelConfig } from './model-config.ts'
import { applyReshape, normaliseRequest } from './normalise-request.ts'
import type { Runner } from './runner.ts'
import { ServingError, toServingError } from './serving-error.ts'
import { followRequest } from './trace/follow-request.ts'
import type { RequestTrace } from './trace/request-trace.ts'
import type { Statistics } from './statistics.ts'

/** A request as its client sent it. */
export interface IncomingRequest {
  readonly id: string
  readonly inputs: readonly Tensor[]
  /** Names of the outputs wanted; empty for all. */
  readonly outputNames: readonly string[]
  readonly parameters: Parameters
  readonly priority: number
  readonly timeoutUs: number
  readonly correlationId: bigint | string
  readonly isSequenceStart: boolean
  readonly isSequenceEnd: boolean
  readonly signal: AbortSignal
  /** Told after the answer, when the model was run for it; not when it failed. */
  readonly onExecuted?: (times: ExecutionTimes) => void
  /** What is to be recorded of it. */
  readonly trace?: RequestTrace | undefined
  /** What is run next with its outputs. */
  readonly followUps?: NextRuns | undefined
}

/** Takes the answers to a request. */
export interface Answers {
  respond(response: InferenceResponse, isFinal: boolean): void
  fail(error: ServingError): void
}

/** One version of a model that serves. */
export interface ServedVersion {
  readonly name: string
  readonly version: number
  readonly config: ModelConfig
  readonly statistics: Statistics
  readonly labels: Labels
  readonly runner: Runner
  readonly loaded: LoadedModel | undefined
  /** Gives its memory back. Nothing may be outstanding. */
  readonly close: () => Promise<void>
}

/**
 * Runs one request: checks it against the config, and hands it to the version's scheduler.
 *
 * @throws ServingError it does not fit the model.
 */
export function submit(served: ServedVersion, request: IncomingRequest, answers: Answers): void {
  const { config, runner, statistics } = served
  const requestStartNs = nowNs()
  try {
    const normalised = normaliseRequest(config, request.inputs, request.outputNames)
    const refusal = served.loaded?.findRefusal?.(normalised.inputs)
    if (refusal !== undefined) throw new ServingError('INVALID_ARG', refusal)
    const enqueued: Enqueued = {
      id: request.id,
      trace: request.trace,
      parameters: request.parameters,
      correlationId: request.correlationId,
      isSequenceStart: request.isSequenceStart,
      isSequenceEnd: request.isSequenceEnd,
      signal: request.signal,
      priority: request.priority,
      timeoutMs: request.timeoutUs / 1000,
      requestStartNs,
      onExecuted: request.onExecuted,
      followUps: request.followUps,
      ...normalised,
      respond: (response, isFinal) => answers.respond(toPublic(config, response), isFinal),
      fail: (error) => answers.fail(error),
    }
    const { name, version, loaded } = served
    runner.enqueue(followRequest(enqueued, { name, version, isEnsemble: loaded === undefined }))
  } catch (error) {
    const failure = withRequestId(request.id, toServingError(error))
    statistics.recordFailure(nowNs() - requestStartNs, failure.reason)
    throw failure
  }
}

/** Shapes as the config shows them, where the model knows others. */
function toPublic(config: ModelConfig, response: InferenceResponse): InferenceResponse {
  if (config.outputs.every(({ reshape }) => reshape === undefined)) return response
  const isBatched = config.maxBatchSize > 0
  const outputs = response.outputs.map((output) => {
    const port = config.outputs.find(({ name }) => name === output.name)
    if (port?.reshape === undefined) return output
    const own = isBatched ? output.shape.slice(1) : output.shape
    const shown = applyReshape(own, port.reshape, port.dims)
    return { ...output, shape: isBatched ? [output.shape[0] ?? 0, ...shown] : shown }
  })
  return { ...response, outputs }
}
