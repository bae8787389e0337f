import type { Datatype } from '../../wire/oip/tensor.ts'
import type { VersionPolicy } from '../../domain/version-policy.ts'
import type { ModelConfig } from './model-config.ts'

/** An input or output as the model's own file says; -1 is a dimension that it leaves open. */
export interface GraphPort {
  readonly name: string
  readonly datatype: Datatype
  readonly dims: readonly number[]
}

/** What a model takes and gives by its own file. */
export interface GraphPorts {
  readonly inputs: readonly GraphPort[]
  readonly outputs: readonly GraphPort[]
}

/** A model's configuration as far as it is written down. */
export interface ConfigSource {
  readonly name: string
  readonly backend: string
  readonly versionPolicy: VersionPolicy
  /** Models that it needs, as an ensemble does; none otherwise. */
  readonly dependencies: readonly string[]
  /** File or folder in a version's directory that is the model. */
  readonly modelFilename: string
  /**
   * The whole configuration: what is not written down is taken from the model itself.
   *
   * @throws OipError INVALID_ARG: it is not valid, or not what the model is.
   */
  complete(graph: GraphPorts | undefined): ModelConfig
}
