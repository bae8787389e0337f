import type { Parameters } from '../../wire/oip/request-parameters.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { Log } from '../log.ts'
import type { ConfigSource } from './config-source.ts'
import type { ModelConfig } from './model-config.ts'

/** What a model gives for one request; a decoupled model gives any number of them. */
export interface InferenceResponse {
  readonly outputs: readonly Tensor[]
  readonly parameters?: Parameters
}

/** One request as a model gets it: checked against its config, shapes as the model knows them. */
export interface InferenceRequest {
  readonly id: string
  readonly inputs: readonly Tensor[]
  /** Names of the outputs that are wanted, at least one. */
  readonly requestedOutputs: readonly string[]
  readonly parameters: Parameters
  /** First dimension of its inputs; 0 when the model has no batch dimension. */
  readonly batchSize: number
  /** 0 or empty: belongs to no sequence. */
  readonly correlationId: bigint | string
  readonly isSequenceStart: boolean
  readonly isSequenceEnd: boolean
  readonly priority: number
  /** 0: no wish. */
  readonly timeoutMs: number
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  respond(response: InferenceResponse, isFinal: boolean): void
  /** Ends it instead of a final response. */
  fail(error: unknown): void
}

/** When the parts of an execution ended, in nanoseconds of the monotonic clock. */
export interface ExecutionTimes {
  readonly computeStartNs: number
  readonly inputEndNs: number
  readonly outputStartNs: number
  readonly computeEndNs: number
}

/** One copy of a model. It executes one batch at a time. */
export interface ModelInstance {
  /** Runs the requests together, answers each of them, and resolves when it is free again. Never rejects. */
  execute(requests: readonly InferenceRequest[]): Promise<ExecutionTimes>
  close(): Promise<void>
}

/** One version of a model, to be loaded. */
export interface ModelToLoad {
  readonly name: string
  readonly version: number
  readonly modelDirectory: string
  readonly versionDirectory: string
  readonly source: ConfigSource
}

/** A version that can serve. */
export interface LoadedModel {
  /** Auto-completed and normalised. */
  readonly config: ModelConfig
  readonly instances: readonly ModelInstance[]
  /** Whether the model itself says that it can serve now; undefined where models do not. */
  isReady?(): Promise<boolean>
  /** Why a request cannot be run, though it fits the config; undefined when it can. */
  findRefusal?(inputs: readonly Tensor[]): string | undefined
}

/** A kind of model. */
export interface Backend {
  /** @throws ServingError it cannot be loaded. */
  load(model: ModelToLoad, log: Log): Promise<LoadedModel>
}
