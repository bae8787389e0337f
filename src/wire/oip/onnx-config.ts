import { OipError } from './errors.ts'
import { fillModelConfig } from './model-config-codec.ts'
import type { ModelConfig } from './model-config.ts'
import { serverInputsOf } from './server-inputs.ts'
import type { Datatype } from './tensor.ts'

/** An input or output of an ONNX graph; -1 is any size. Initialisers are none. */
export interface GraphTensor {
  readonly name: string
  readonly datatype: Datatype
  readonly dims: readonly number[]
}

/** What an ONNX model says of itself. */
export interface Graph {
  readonly inputs: readonly GraphTensor[]
  readonly outputs: readonly GraphTensor[]
}

/** Name in configurations of a tensor's datatype. */
export function toDataTypeName(datatype: Datatype): string {
  return datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`
}

/**
 * Fills in what a configuration does not say of its ONNX model. With inputs and outputs it stays as it is.
 *
 * Tensors come in the order of the graph; Triton's order is by chance.
 *
 * @throws OipError `INVALID_ARG`: batches are wanted of a model that has no batch dimension.
 */
export function completeOnnxConfig(
  config: ModelConfig,
  graph: Graph,
  { maxBatchSizeDefault }: { readonly maxBatchSizeDefault: number },
): ModelConfig {
  if (config.input.length > 0 && config.output.length > 0) return config
  const canBatch = [...graph.inputs, ...graph.outputs].every(({ dims }) => dims[0] === -1)
  if (!canBatch && config.max_batch_size > 0) {
    throw new OipError(
      'INVALID_ARG',
      `autofill failed for model '${config.name}': model does not support batching while non-zero max_batch_size is specified`,
    )
  }
  // A size of 0 that was written is not told from none.
  const isBatchAdded = canBatch && config.max_batch_size === 0
  const maxBatchSize = isBatchAdded ? maxBatchSizeDefault : config.max_batch_size
  const isBatching = maxBatchSize > 0
  const own = withoutServers(config, graph)
  const isDynamic = isBatchAdded && maxBatchSize > 1 && !hasScheduling(config)
  return fillModelConfig({
    ...config,
    max_batch_size: maxBatchSize,
    input:
      config.input.length > 0 ? config.input : own.inputs.map((one) => toPort(one, isBatching)),
    output:
      config.output.length > 0 ? config.output : own.outputs.map((one) => toPort(one, isBatching)),
    ...(isDynamic && { dynamic_batching: { preferred_batch_size: [maxBatchSize] } }),
  })
}

// What the server fills is no client's to give, and states stay between the server and the model.
function withoutServers(config: ModelConfig, { inputs, outputs }: Graph): Graph {
  const filled = new Set(serverInputsOf(config).map(({ name }) => name))
  const states = new Set(config.sequence_batching?.state.map(({ output_name: name }) => name))
  return {
    inputs: inputs.filter(({ name }) => !filled.has(name)),
    outputs: outputs.filter(({ name }) => !states.has(name)),
  }
}

function hasScheduling(config: ModelConfig): boolean {
  return (
    (config.dynamic_batching ?? config.sequence_batching ?? config.ensemble_scheduling) !==
    undefined
  )
}

function toPort({ name, datatype, dims }: GraphTensor, isBatching: boolean) {
  const own = isBatching ? dims.slice(1) : dims
  const port = { name, data_type: toDataTypeName(datatype) }
  // There are no scalars: one element stands for one.
  return own.length === 0 ? { ...port, dims: [1], reshape: { shape: [] } } : { ...port, dims: own }
}
