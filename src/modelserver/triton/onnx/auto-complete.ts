import { OipError } from '../../../wire/oip/errors.ts'
import type { ModelConfig, PartialModelConfig } from '../../../wire/oip/model-config.ts'
import { formatShape } from '../../../wire/oip/tensor.ts'
import type { GraphPort, GraphPorts } from '../config-source.ts'
import { toDataTypeName } from '../data-type-name.ts'

/**
 * Takes from an ONNX model what its config does not say (reference §3.2). A config with inputs and outputs is left as it is.
 * Inputs and outputs come in the order of the graph.
 *
 * @throws OipError INVALID_ARG: the config wants batches, and the model has no dimension for them.
 */
export function autoComplete(
  config: ModelConfig,
  graph: GraphPorts,
  defaultMaxBatchSize: number,
): PartialModelConfig {
  if (config.input.length > 0 && config.output.length > 0) return config
  const canBatch = [...graph.inputs, ...graph.outputs].every(({ dims }) => dims[0] === -1)
  if (!canBatch && config.max_batch_size > 0) {
    throw new OipError(
      'INVALID_ARG',
      `autofill failed for model '${config.name}': model does not support batching while non-zero max_batch_size is specified`,
    )
  }
  const isUnset = canBatch && config.max_batch_size === 0
  const maxBatchSize = isUnset ? defaultMaxBatchSize : config.max_batch_size
  const { dynamic_batching: dynamic, sequence_batching: sequence } = config
  const hasScheduling = dynamic !== undefined || sequence !== undefined
  return {
    ...config,
    max_batch_size: maxBatchSize,
    input: merge(config.input, graph.inputs, maxBatchSize > 0),
    output: merge(config.output, graph.outputs, maxBatchSize > 0),
    ...(isUnset && maxBatchSize > 1 && !hasScheduling && { dynamic_batching: {} }),
  }
}

function merge(written: readonly unknown[], ports: readonly GraphPort[], isBatched: boolean) {
  return written.length > 0 ? written : ports.map((port) => describe(port, isBatched))
}

function describe({ name, datatype, dims }: GraphPort, isBatched: boolean) {
  const own = isBatched ? dims.slice(1) : dims
  const described = { name, data_type: toDataTypeName(datatype) }
  return own.length > 0
    ? { ...described, dims: own }
    : { ...described, dims: [1], reshape: { shape: [] } }
}

/**
 * Compares a config with the model it is for.
 *
 * @throws OipError INVALID_ARG: they have other inputs, outputs, types or shapes.
 */
export function compareWithGraph(config: ModelConfig, graph: GraphPorts): void {
  const { name } = config
  if (config.input.length !== graph.inputs.length) {
    throw refusal(
      `unable to load model '${name}', configuration expects ${config.input.length} inputs, model provides ${graph.inputs.length}`,
    )
  }
  for (const kind of ['input', 'output'] as const) {
    const ports = kind === 'input' ? graph.inputs : graph.outputs
    for (const written of config[kind]) {
      const port = ports.find((known) => known.name === written.name)
      if (port === undefined) {
        const allowed = ports.map((known) => known.name).join(', ')
        throw refusal(
          `unexpected inference ${kind} '${written.name}', allowed ${kind}s are: ${allowed}`,
        )
      }
      comparePort(config, written, port)
    }
  }
}

function comparePort(
  { name, max_batch_size: maxBatchSize }: ModelConfig,
  written: ModelConfig['output'][number] | ModelConfig['input'][number],
  port: GraphPort,
): void {
  const type = toDataTypeName(port.datatype)
  if (written.data_type !== type) {
    throw refusal(
      `unable to load model '${name}', configuration expects datatype ${written.data_type} for tensor '${port.name}', model provides ${type}`,
    )
  }
  const own = written.reshape?.shape ?? written.dims
  const complete = maxBatchSize > 0 ? [-1, ...own] : own
  const isSame = complete.every((dim, axis) => {
    const known = port.dims[axis]
    return known === -1 || dim === known
  })
  if (complete.length === port.dims.length && isSame) return
  const batch =
    maxBatchSize > 0
      ? '(an initial batch dimension because max_batch_size > 0 followed by the explicit tensor shape, making complete shape'
      : '(shape'
  throw refusal(
    `model '${name}', tensor '${port.name}': the model expects ${port.dims.length} dimensions (shape ` +
      `${formatShape(port.dims)}) but the model configuration specifies ${complete.length} dimensions ` +
      `${batch} ${formatShape(complete)})`,
  )
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
