import { OipError } from './errors.ts'
import { byteSizeOf, elementCount, joinBytes, type Datatype, type Tensor } from './tensor.ts'

/** What requests are read with of a model. */
export interface ModelPorts {
  readonly name: string
  /** Above 0 shapes have a batch dimension in front. */
  readonly maxBatchSize: number
  /** Without batch dimension; -1 is any size. */
  readonly inputs: readonly {
    readonly name: string
    readonly datatype: Datatype
    readonly dims: readonly number[]
  }[]
}

/**
 * The one input of a request that is nothing but its bytes: its shape comes from the model.
 *
 * @throws OipError `INVALID_ARG`: the model has several inputs, or a shape that the size does not decide.
 */
export function deduceRawInput(body: Uint8Array, model: ModelPorts, bytesMax: number): Tensor {
  const [input] = model.inputs
  if (input === undefined || model.inputs.length !== 1) {
    throw refusal(
      `Raw request must only have 1 input (found 1) to be deduced but got ${model.inputs.length} inputs in ` +
        `'${model.name}' model configuration`,
    )
  }
  if (body.length > bytesMax) {
    throw new OipError(
      'INVALID_ARG',
      `raw input '${input.name}' has a byte_size (${body.length} bytes) that exceeds the maximum allowed value of ` +
        `${bytesMax} bytes. Use --http-max-input-size to increase the limit.`,
    )
  }
  const { name, datatype, dims } = input
  const batch = model.maxBatchSize > 0 ? [1] : []
  if (datatype === 'BYTES') {
    if (dims.length !== 1 || dims[0] !== 1) {
      throw refusal(`For BYTE datatype raw input '${name}', the model must have input shape [1]`)
    }
    return { name, datatype, shape: [...batch, 1], data: joinBytes([body]) }
  }
  const shape = [...batch, ...deduceDims(input, body.length)]
  return { name, datatype, shape, data: body }
}

function deduceDims(
  { name, datatype, dims }: ModelPorts['inputs'][number],
  size: number,
): number[] {
  const openCount = dims.filter((dim) => dim === -1).length
  if (openCount > 1) {
    throw refusal(
      `The shape of the raw input '${name}' can not be deduced because there are more than one variable-sized dimension`,
    )
  }
  const fixedSize = elementCount(dims.filter((dim) => dim !== -1)) * (byteSizeOf(datatype) ?? 1)
  return dims.map((dim) => (dim === -1 ? Math.floor(size / fixedSize) : dim))
}

// A request that is nothing but bytes cannot have an id.
function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', `[request id: <id_unknown>] ${message}`)
}
