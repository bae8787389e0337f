import { OipError } from '../../../wire/oip/errors.ts'
import type { ModelConfig } from '../../../wire/oip/model-config.ts'
import { toDataTypeName, type Graph, type GraphTensor } from '../../../wire/oip/onnx-config.ts'
import { serverInputsOf } from '../../../wire/oip/server-inputs.ts'
import type { ServerInput } from '../../../wire/oip/server-inputs.ts'
import { formatShape } from '../../../wire/oip/tensor.ts'

/**
 * Compares a config with the model it is for.
 *
 * @throws OipError INVALID_ARG: they have other inputs, outputs, types or shapes.
 */
export function compareWithGraph(config: ModelConfig, graph: Graph): void {
  const { name } = config
  const filled = serverInputsOf(config)
  const inputCount = config.input.length + filled.length
  if (inputCount !== graph.inputs.length) {
    throw refusal(
      `unable to load model '${name}', configuration expects ${inputCount} inputs, model provides ${graph.inputs.length}`,
    )
  }
  for (const input of filled) compareServerInput(config, input, graph)
  compareStateOutputs(config, graph)
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
      compareType(name, kind, written, port)
      if (!hasOwnShape(config, written)) compareShape(config, written, port)
    }
  }
}

type Written = ModelConfig['output'][number] | ModelConfig['input'][number]

// Its elements are cut among requests by the shape of an input, so it may have any.
function hasOwnShape({ batch_output: outputs }: ModelConfig, { name }: Written): boolean {
  return outputs.some(({ target_name: targets }) => targets.includes(name))
}

function compareServerInput(config: ModelConfig, input: ServerInput, graph: Graph): void {
  const { name, role, dims } = input
  const port = graph.inputs.find((known) => known.name === name)
  if (port === undefined) {
    const message = `configuration specified ${role} '${name}', but model does not provide that input`
    throw new OipError('INTERNAL', message)
  }
  const subject = `unable to load model '${config.name}', ${role} '${name}'`
  const type = toDataTypeName(port.datatype)
  if (input.data_type !== type) {
    throw refusal(
      `${subject}, the model expects data-type ${type} but the model configuration specifies data-type ${input.data_type}`,
    )
  }
  if (dims === undefined) return
  const own = config.max_batch_size > 0 ? port.dims.slice(1) : port.dims
  const isSame =
    own.length === dims.length && own.every((dim, axis) => dim === -1 || dim === dims[axis])
  if (isSame) return
  throw refusal(
    `${subject} in model has dims ${formatShape(own)} but dims ${formatShape(dims)} is expected`,
  )
}

function compareStateOutputs({ name, sequence_batching: sequence }: ModelConfig, graph: Graph) {
  for (const { output_name: output, data_type: expected } of sequence?.state ?? []) {
    const port = graph.outputs.find((known) => known.name === output)
    if (port === undefined) {
      const message = `configuration specified sequence state '${output}', but model does not provide that output`
      throw new OipError('INTERNAL', message)
    }
    compareType(name, 'output', { data_type: expected }, port)
  }
}

function compareType(
  model: string,
  kind: 'input' | 'output',
  written: Pick<Written, 'data_type'>,
  port: GraphTensor,
): void {
  const type = toDataTypeName(port.datatype)
  if (written.data_type === type) return
  throw refusal(
    `unable to load model '${model}', configuration expects datatype ${written.data_type} for ${kind} '${port.name}', model provides ${type}`,
  )
}

function compareShape(
  { name, max_batch_size: maxBatchSize }: ModelConfig,
  written: Written,
  port: GraphTensor,
): void {
  const isRagged = 'allow_ragged_batch' in written && written.allow_ragged_batch
  if (isRagged) {
    if (port.dims.length === 1 && port.dims[0] === -1) return
    throw refusal(
      `unable to load model '${name}', configuration expects model provides input with shape [-1] for ragged input ` +
        `'${port.name}', model provides ${formatShape(port.dims)}`,
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
