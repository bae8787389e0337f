import type { Graph } from '../../wire/oip/onnx-config.ts'
import type { VersionPolicy } from '../../domain/version-policy.ts'
import type { ModelConfig as ConfigMessage } from '../../wire/oip/model-config.ts'
import type { BatchForm } from './batch-form.ts'
import type { ModelConfig } from './model-config.ts'

/** A model's configuration as far as it is written down. */
export interface ConfigSource {
  readonly name: string
  readonly backend: string
  readonly versionPolicy: VersionPolicy
  /** Models that it needs, as an ensemble does; none otherwise. */
  readonly dependencies: readonly string[]
  /** File or folder in a version's directory that is the model. */
  readonly modelFilename: string
  /** What is written down, prepared. */
  readonly written: ConfigMessage
  /** How batches are put together that are not of one shape. */
  readonly batchForm: BatchForm | undefined
  /** Whether a model may say what is not written down. */
  readonly isAutoCompleting: boolean
  /**
   * The configuration with the fields that the model's own code has completed.
   *
   * @throws OipError INVALID_ARG: it is not valid.
   */
  completeWith(completed: Readonly<Record<string, unknown>>): ModelConfig
  /**
   * The whole configuration: what is not written down is taken from the model itself.
   *
   * @throws OipError INVALID_ARG: it is not valid, or not what the model is.
   */
  complete(graph: Graph | undefined): ModelConfig
}
