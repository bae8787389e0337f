import type { VersionPolicy } from '../../domain/version-policy.ts'
import type { DynamicBatching } from '../../domain/dynamic-batch.ts'
import type { EnsembleStep } from '../../domain/ensemble.ts'
import type { RateLimits } from '../../domain/rate-limit.ts'
import type { Datatype } from '../../wire/oip/tensor.ts'
import type { SequenceBatching } from './sequence-batching.ts'

/** An input or output as its config says, without the batch dimension; -1 is any size. */
export interface ConfigPort {
  readonly name: string
  readonly datatype: Datatype
  readonly dims: readonly number[]
  /** The shape that the model knows instead of `dims`. */
  readonly reshape: readonly number[] | undefined
  readonly isOptional: boolean
  readonly isRagged: boolean
  /** File of the class names, relative to the model's directory; empty for none. */
  readonly labelFilename: string
}

/** A warm-up: so many equal requests as one batch, so many times. */
export interface Warmup {
  readonly name: string
  readonly batchSize: number
  readonly count: number
  readonly inputs: readonly {
    readonly name: string
    readonly datatype: Datatype
    readonly dims: readonly number[]
    readonly content: 'zeros' | 'random' | { readonly file: string }
  }[]
}

/** How a model's requests become executions. */
export type Scheduling =
  | { readonly kind: 'default' }
  | { readonly kind: 'dynamic'; readonly batching: DynamicBatching }
  | { readonly kind: 'sequence'; readonly batching: SequenceBatching }
  | { readonly kind: 'ensemble'; readonly steps: readonly EnsembleStep[] }

/** Instances of one kind. */
export interface InstanceGroup {
  readonly count: number
  readonly limits: RateLimits
}

/** What serving needs to know of a model's configuration. */
export interface ModelConfig {
  readonly name: string
  readonly platform: string
  readonly backend: string
  readonly maxBatchSize: number
  readonly inputs: readonly ConfigPort[]
  readonly outputs: readonly ConfigPort[]
  readonly versionPolicy: VersionPolicy
  /** Instances that requests go to. */
  readonly instanceCount: number
  /** The same instances, in their order. */
  readonly instanceGroups: readonly InstanceGroup[]
  readonly scheduling: Scheduling
  /** Answers are to be kept for equal requests, where the server has a cache. */
  readonly isCached: boolean
  readonly isDecoupled: boolean
  readonly warmups: readonly Warmup[]
  readonly metricTags: Readonly<Record<string, string>>
  readonly defaultModelFilename: string
  readonly parameters: Readonly<Record<string, string>>
  /** The whole of it as clients see it, in the names of the protocol. */
  readonly json: Readonly<Record<string, unknown>>
}
