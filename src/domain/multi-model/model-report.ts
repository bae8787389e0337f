import type { LoadedModel, ModelCounters } from './model-messages.ts'
import type { ModelTimeName, TimeSum } from './model-times.ts'

/** A model that is loaded, and why it stays. */
export interface ResidentReport extends LoadedModel {
  readonly memoryBytes: number
  /** Of late: each counts half after a while. */
  readonly uses: number
  readonly isPinned: boolean
}

/** A model that cannot be loaded now, and why. */
export interface HeldReport {
  readonly targetModel: string
  readonly reason: string
  /** Until it may be tried again. */
  readonly waitMs: number
  readonly failureCount: number
}

/** What is loaded on one instance of a multi-model endpoint. */
export interface InstanceModelsReport {
  readonly instanceId: string
  readonly variantName: string
  /** What its models and program are believed to take, and may. */
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  readonly models: readonly ResidentReport[]
  readonly quarantined: readonly HeldReport[]
}

/** What models took on one variant since control started. */
export interface VariantTimesReport {
  readonly variantName: string
  readonly times: Readonly<Record<ModelTimeName, TimeSum>>
}

/** All that is known of the models of an endpoint. */
export interface EndpointModelsReport {
  readonly instances: readonly InstanceModelsReport[]
  /** An entry for each gateway and variant. */
  readonly counters: readonly ModelCounters[]
  readonly times: readonly VariantTimesReport[]
}
