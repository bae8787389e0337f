import { fillModelConfig } from './model-config-codec.ts'
import type { InstanceGroupConfig, ModelConfig, PartialModelConfig } from './model-config.ts'

const IDLE_DEFAULT_US = 1_000_000

/** What a backend says about the models it serves. */
export interface BackendDefaults {
  readonly modelFilename: string
  /** Instances of a model that does not say how many. */
  readonly instanceCount: number
}

/** Defaults of the backends that Triton has, where they are no `''` and 1. Source: Triton `model_config_utils.cc`. */
export const BACKEND_DEFAULTS: Readonly<Record<string, BackendDefaults>> = {
  onnxruntime: { modelFilename: 'model.onnx', instanceCount: 2 },
  tensorflow: { modelFilename: 'model.savedmodel', instanceCount: 2 },
  python: { modelFilename: 'model.py', instanceCount: 1 },
  pytorch: { modelFilename: 'model.pt', instanceCount: 1 },
  openvino: { modelFilename: 'model.xml', instanceCount: 1 },
  tensorrt: { modelFilename: 'model.plan', instanceCount: 1 },
}

/** Fills in what a model's author leaves to the server, scheduling first: validation looks at that. */
export function normaliseScheduling(config: ModelConfig): ModelConfig {
  const {
    max_batch_size: maxBatchSize,
    dynamic_batching: dynamic,
    sequence_batching: sequence,
  } = config
  const preferred = (sizes: readonly number[]): readonly number[] =>
    sizes.length === 0 && maxBatchSize > 0 ? [maxBatchSize] : sizes
  const filled: PartialModelConfig = {
    ...config,
    version_policy: config.version_policy ?? { latest: { num_versions: 1 } },
    ...(dynamic && {
      dynamic_batching: {
        ...dynamic,
        preferred_batch_size: preferred(dynamic.preferred_batch_size),
      },
    }),
    ...(sequence && {
      sequence_batching: {
        ...sequence,
        max_sequence_idle_microseconds: sequence.max_sequence_idle_microseconds || IDLE_DEFAULT_US,
        ...(sequence.oldest && {
          oldest: {
            ...sequence.oldest,
            preferred_batch_size: preferred(sequence.oldest.preferred_batch_size),
          },
        }),
      },
    }),
  }
  if (config.ensemble_scheduling !== undefined) return fillModelConfig(withTransactions(filled))
  return fillModelConfig({ ...filled, optimization: normaliseOptimization(config.optimization) })
}

// Triton prints it for ensembles, whose decoupling is that of their steps.
function withTransactions(config: PartialModelConfig): PartialModelConfig {
  const { model_transaction_policy: policy = { decoupled: false } } = config
  return { ...config, model_transaction_policy: policy }
}

function normaliseOptimization(optimization: ModelConfig['optimization']) {
  return {
    ...optimization,
    input_pinned_memory: optimization?.['input_pinned_memory'] ?? { enable: true },
    output_pinned_memory: optimization?.['output_pinned_memory'] ?? { enable: true },
  }
}

/** Fills in instances and file name, once the backend is known and the model has been looked at. */
export function normaliseInstances(config: ModelConfig): ModelConfig {
  if (config.ensemble_scheduling !== undefined) return config
  const defaults = BACKEND_DEFAULTS[config.backend] ?? { modelFilename: '', instanceCount: 1 }
  const { instance_group: groups } = config
  const [first] = groups
  return fillModelConfig({
    ...config,
    default_model_filename: config.default_model_filename || defaults.modelFilename,
    instance_group:
      first === undefined
        ? [{ name: config.name, kind: 'KIND_CPU', count: defaults.instanceCount }]
        : groups.map((group, index) => normaliseGroup(group, `${config.name}_${index}`, defaults)),
  })
}

// There are no GPUs, so what is left to the server is on CPUs.
function normaliseGroup(
  group: InstanceGroupConfig,
  name: string,
  defaults: BackendDefaults,
): InstanceGroupConfig {
  const kind = group.kind === 'KIND_AUTO' ? 'KIND_CPU' : group.kind
  const countDefault = kind === 'KIND_CPU' ? defaults.instanceCount : 1
  const count = group.count < 1 ? countDefault : group.count
  return { ...group, name: group.name || name, kind, count }
}
