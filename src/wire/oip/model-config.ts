/** `TYPE_FP32` and its like; `TYPE_STRING` is what tensors call BYTES. */
export type DataTypeName = string

/** An input of a model, as its configuration has it. */
export interface ModelInputConfig {
  readonly name: string
  readonly data_type: DataTypeName
  readonly format: string
  readonly dims: readonly number[]
  readonly reshape?: { readonly shape: readonly number[] }
  readonly is_shape_tensor: boolean
  readonly allow_ragged_batch: boolean
  readonly optional: boolean
  readonly is_non_linear_format_io: boolean
}

/** An output of a model, as its configuration has it. */
export interface ModelOutputConfig {
  readonly name: string
  readonly data_type: DataTypeName
  readonly dims: readonly number[]
  readonly label_filename: string
  readonly reshape?: { readonly shape: readonly number[] }
  readonly is_shape_tensor: boolean
  readonly is_non_linear_format_io: boolean
}

export interface QueuePolicyConfig {
  readonly timeout_action: string
  readonly default_timeout_microseconds: number
  readonly allow_timeout_override: boolean
  readonly max_queue_size: number
}

export interface DynamicBatchingConfig {
  readonly preferred_batch_size: readonly number[]
  readonly max_queue_delay_microseconds: number
  readonly preserve_ordering: boolean
  readonly priority_levels: number
  readonly default_priority_level: number
  readonly default_queue_policy?: QueuePolicyConfig
  readonly priority_queue_policy: Readonly<Record<string, QueuePolicyConfig>>
}

export interface SequenceControlConfig {
  readonly kind: string
  readonly int32_false_true: readonly number[]
  readonly fp32_false_true: readonly number[]
  readonly bool_false_true: readonly boolean[]
  readonly data_type: DataTypeName
}

export interface SequenceBatchingConfig {
  readonly direct?: {
    readonly max_queue_delay_microseconds: number
    readonly minimum_slot_utilization: number
  }
  readonly oldest?: {
    readonly max_candidate_sequences: number
    readonly preferred_batch_size: readonly number[]
    readonly max_queue_delay_microseconds: number
    readonly preserve_ordering: boolean
  }
  readonly max_sequence_idle_microseconds: number
  readonly control_input: readonly {
    readonly name: string
    readonly control: readonly SequenceControlConfig[]
  }[]
  readonly state: readonly SequenceStateConfig[]
  readonly iterative_sequence: boolean
}

export interface SequenceStateConfig {
  readonly input_name: string
  readonly output_name: string
  readonly data_type: DataTypeName
  readonly dims: readonly number[]
  readonly initial_state: readonly {
    readonly name: string
    readonly data_type: DataTypeName
    /** Triton prints these as texts. */
    readonly dims: readonly (number | string)[]
    readonly zero_data?: boolean
    readonly data_file?: string
  }[]
}

export interface EnsembleStepConfig {
  readonly model_name: string
  readonly model_version: number
  readonly input_map: Readonly<Record<string, string>>
  readonly output_map: Readonly<Record<string, string>>
}

export interface InstanceGroupConfig {
  readonly name: string
  readonly kind: string
  readonly count: number
  readonly gpus: readonly number[]
  readonly profile: readonly string[]
  readonly passive: boolean
}

/**
 * A model's configuration in its JSON form: field names of the protocol, enumerations by name, every field with a default
 * value present. Source: Triton `model_config.proto`; 64-bit integers are numbers, as in Triton's JSON.
 */
export interface ModelConfig {
  readonly name: string
  readonly platform: string
  readonly backend: string
  readonly runtime: string
  readonly version_policy?: Readonly<Record<string, unknown>>
  readonly max_batch_size: number
  readonly input: readonly ModelInputConfig[]
  readonly output: readonly ModelOutputConfig[]
  readonly batch_input: readonly BatchInputConfig[]
  readonly batch_output: readonly BatchOutputConfig[]
  readonly optimization?: Readonly<Record<string, unknown>>
  readonly dynamic_batching?: DynamicBatchingConfig
  readonly sequence_batching?: SequenceBatchingConfig
  readonly ensemble_scheduling?: { readonly step: readonly EnsembleStepConfig[] }
  readonly instance_group: readonly InstanceGroupConfig[]
  readonly default_model_filename: string
  readonly cc_model_filenames: Readonly<Record<string, string>>
  readonly metric_tags: Readonly<Record<string, string>>
  readonly parameters: Readonly<Record<string, { readonly string_value: string }>>
  readonly model_warmup: readonly unknown[]
  readonly model_transaction_policy?: { readonly decoupled: boolean }
  readonly response_cache?: { readonly enable: boolean }
}

export interface BatchInputConfig {
  readonly kind: string
  readonly target_name: readonly string[]
  readonly data_type: DataTypeName
  readonly source_input: readonly string[]
}

export interface BatchOutputConfig {
  readonly target_name: readonly string[]
  readonly kind: string
  readonly source_input: readonly string[]
}

/** A configuration of which fields may be missing, at any depth. */
export type PartialModelConfig = { readonly [name in keyof ModelConfig]?: unknown }
