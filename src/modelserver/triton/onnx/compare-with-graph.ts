import { OipError } from '../../../wire/oip/errors.ts'
import type { ModelConfig } from '../../../wire/oip/model-config.ts'
import { toDataTypeName, type Graph, type GraphTensor } from '../../../wire/oip/onnx-config.ts'
import { formatShape } from '../../../wire/oip/tensor.ts'

/**
 * Compares a config with the model it is for.
 *
 * @throws OipError INVALID_ARG: they have other inputs, outputs, types or shapes.
 */
export function compareWithGraph(config: ModelConfig, graph: Graph): void {
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
      comparePort(config, { kind, written, port })
    }
  }
}

interface Compared {
  readonly kind: 'input' | 'output'
  readonly written: ModelConfig['output'][number] | ModelConfig['input'][number]
  readonly port: GraphTensor
}

function comparePort(
  { name, max_batch_size: maxBatchSize }: ModelConfig,
  { kind, written, port }: Compared,
): void {
  const type = toDataTypeName(port.datatype)
  if (written.data_type !== type) {
    throw refusal(
      `unable to load model '${name}', configuration expects datatype ${written.data_type} for ${kind} '${port.name}', model provides ${type}`,
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
