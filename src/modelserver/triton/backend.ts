import type { Parameters } from '../../wire/oip/request-parameters.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { Log } from '../log.ts'
import type { ConfigSource } from './config-source.ts'
import type { ModelConfig } from './model-config.ts'
import type { AttachableData, OutputTensor } from './onnx/instance-messages.ts'

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
  /**
   * Runs the requests together, answers each of them, and resolves when it is free again. Never rejects.
   *
   * @param followUps may be run with what the batch gave before anyone asks for it; an instance may ignore them
   */
  execute(
    requests: readonly InferenceRequest[],
    followUps?: readonly FollowUp[],
  ): Promise<ExecutionTimes>
  close(): Promise<void>
}

/** Knows what is probably run next with the outputs of a request. */
export interface NextRuns {
  /** Chooses the runs that are worth doing together with a batch of requests of so many rows. */
  choose(rowCounts: readonly number[]): readonly FollowUp[]
}

/** A run that probably comes next, of another model, with nothing but what the runs before it gave. */
export interface FollowUp {
  readonly model: FollowUpModel
  readonly inputs: readonly FollowUpSource[]
  readonly outputNames: readonly string[]
}

/** Where an input of a follow-up comes from. */
export interface FollowUpSource {
  readonly name: string
  /** Place of a follow-up before it in the list; -1: the batch itself. */
  readonly from: number
  readonly output: string
}

/** A model that an instance of another may run ahead of its requests. */
export interface FollowUpModel {
  readonly data: AttachableData
  /** Keeps what a run gave until somebody asks for it, or its inputs are forgotten. */
  keep(run: KeptRun): void
  /** Whether something is kept that may be for this request. */
  hasKept(request: Pick<InferenceRequest, 'inputs'>): boolean
  /** Calls back when it serves no more. @returns what takes that back. */
  onClose(run: () => void): () => void
}

/** A run ahead of its requests. */
export interface KeptRun {
  readonly inputs: readonly OutputTensor[]
  readonly outputs: readonly OutputTensor[]
  readonly inputNs: number
  readonly inferNs: number
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
  /** Undefined: only its own instances run it. */
  readonly followUpModel?: FollowUpModel | undefined
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
