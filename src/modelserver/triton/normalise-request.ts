import { byteSizeOf, elementCount, formatShape } from '../../wire/oip/tensor.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { ConfigPort, ModelConfig } from './model-config.ts'
import { ServingError } from './serving-error.ts'

/** A request's tensors as its model takes them. */
export interface Normalised {
  /** In the order of the config. */
  readonly inputs: readonly Tensor[]
  readonly requestedOutputs: readonly string[]
  /** 0 for a model without a batch dimension. */
  readonly batchSize: number
}

const BATCH_NOTE =
  ' NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be prepended to each ' +
  'input shape. If you want to specify the full shape including the batch dim in your input dims config, try setting ' +
  'max_batch_size to zero. See the model configuration docs for more info on max_batch_size.'

/**
 * Checks a request against its model's config, in Triton's order and words (reference §5).
 *
 * @throws ServingError INVALID_ARG.
 */
export function normaliseRequest(
  config: ModelConfig,
  inputs: readonly Tensor[],
  outputNames: readonly string[],
): Normalised {
  const requestedOutputs = chooseOutputs(config, outputNames)
  const byName = indexInputs(config, inputs)
  const batchSize = config.maxBatchSize > 0 ? measureBatch(config, inputs) : 0
  const normalised = config.inputs.flatMap((port) => {
    const given = byName.get(port.name)
    return given === undefined ? [] : normaliseInput(config, port, given)
  })
  return { inputs: normalised, requestedOutputs, batchSize }
}

function chooseOutputs({ name, outputs }: ModelConfig, wanted: readonly string[]) {
  for (const output of wanted) {
    if (!outputs.some((known) => known.name === output)) {
      throw refusal(`unexpected inference output '${output}' for model '${name}'`)
    }
  }
  return wanted.length > 0 ? wanted : outputs.map((output) => output.name)
}

function indexInputs(config: ModelConfig, inputs: readonly Tensor[]): ReadonlyMap<string, Tensor> {
  const byName = new Map<string, Tensor>()
  for (const input of inputs) {
    if (byName.has(input.name)) throw refusal(`input '${input.name}' already exists in request`)
    byName.set(input.name, input)
  }
  const required = config.inputs.filter(({ isOptional }) => !isOptional)
  const [atLeast, atMost] = [required.length, config.inputs.length]
  if (inputs.length < atLeast || inputs.length > atMost) throw wrongCount(config, inputs)
  for (const { name } of inputs) {
    if (!config.inputs.some((port) => port.name === name)) {
      throw refusal(`unexpected inference input '${name}' for model '${config.name}'`)
    }
  }
  if (required.some(({ name }) => !byName.has(name))) throw wrongCount(config, inputs)
  return byName
}

function wrongCount(config: ModelConfig, inputs: readonly Tensor[]): ServingError {
  const given = new Set(inputs.map(({ name }) => name))
  const required = config.inputs.filter(({ isOptional }) => !isOptional)
  const missing = required.filter(({ name }) => !given.has(name)).map(({ name }) => name)
  const count =
    required.length === config.inputs.length
      ? `expected ${config.inputs.length} inputs but got ${inputs.length} inputs`
      : `expected number of inputs between ${required.length} and ${config.inputs.length} but got ${inputs.length} inputs`
  const listed = (names: readonly string[]): string =>
    `[${names.map((name) => `'${name}'`).join(',')}]`
  const lacks =
    missing.length === 0
      ? ''
      : `, but missing required input(s) ${listed(missing)}. Please provide all required input(s)`
  const names = listed([...given])
  return refusal(`${count} for model '${config.name}'. Got input(s) ${names}${lacks}.`)
}

function measureBatch(config: ModelConfig, inputs: readonly Tensor[]): number {
  let batchSize: number | undefined
  for (const { name, shape } of inputs) {
    const [first] = shape
    if (first === undefined) {
      throw refusal(
        `input '${name}' has no shape but model requires batch dimension for '${config.name}'`,
      )
    }
    batchSize ??= first
    if (first !== batchSize) {
      throw refusal(`input '${name}' batch size does not match other inputs for '${config.name}'`)
    }
  }
  if (batchSize !== undefined && batchSize > config.maxBatchSize) {
    throw refusal(
      `inference request batch-size must be <= ${config.maxBatchSize} for '${config.name}'`,
    )
  }
  return batchSize ?? 1
}

function normaliseInput(config: ModelConfig, port: ConfigPort, input: Tensor): Tensor {
  const { name, datatype, shape, data } = input
  if (datatype !== port.datatype) {
    throw refusal(
      `inference input '${name}' data-type is '${datatype}', but model '${config.name}' expects '${port.datatype}'`,
    )
  }
  const isBatched = config.maxBatchSize > 0
  const own = isBatched ? shape.slice(1) : shape
  if (!isFitting(own, port.dims)) throw unexpectedShape(config, port, shape)
  if (shape.some((dim) => dim < 0)) {
    throw refusal(
      `All input dimensions should be specified for input '${name}' for model '${config.name}', got ${formatShape(shape)}`,
    )
  }
  const elementBytes = byteSizeOf(datatype)
  if (elementBytes === undefined) walkTexts(config, input)
  else if (data.byteLength !== elementBytes * elementCount(shape)) {
    throw refusal(
      `input byte size mismatch for input '${name}' for model '${config.name}'. Expected ` +
        `${elementBytes * elementCount(shape)}, got ${data.byteLength}`,
    )
  }
  if (port.reshape === undefined) return input
  const reshaped = applyReshape(own, port.dims, port.reshape)
  return { ...input, shape: isBatched ? [shape[0] ?? 0, ...reshaped] : reshaped }
}

function unexpectedShape(
  config: ModelConfig,
  { name, dims }: ConfigPort,
  shape: readonly number[],
): ServingError {
  const isBatched = config.maxBatchSize > 0
  const expected = formatShape(isBatched ? [-1, ...dims] : dims)
  return refusal(
    `unexpected shape for input '${name}' for model '${config.name}'. Expected ${expected}, got ` +
      `${formatShape(shape)}.${isBatched ? BATCH_NOTE : ''}`,
  )
}

function isFitting(shape: readonly number[], dims: readonly number[]): boolean {
  if (shape.length !== dims.length) return false
  return dims.every((dim, axis) => dim === -1 || dim === shape[axis])
}

/**
 * The shape that stands for another: sizes that are open are taken over from left to right.
 *
 * ```text
 * [3, 7] by dims [3, -1] to [-1, 3] → [7, 3]
 * ```
 */
export function applyReshape(
  shape: readonly number[],
  dims: readonly number[],
  reshape: readonly number[],
): readonly number[] {
  const open = shape.filter((_dim, axis) => dims[axis] === -1)
  let used = 0
  return reshape.map((dim) => (dim === -1 ? (open[used++] ?? -1) : dim))
}

function walkTexts(config: ModelConfig, { name, shape, data }: Tensor): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const expectedCount = elementCount(shape)
  let count = 0
  let at = 0
  while (at < data.byteLength) {
    const left = data.byteLength - at
    if (left < 4) {
      throw refusal(
        `incomplete string length indicator for inference input '${name}' for model '${config.name}', expecting 4 bytes ` +
          `but only ${left} bytes available. Please make sure the string length indicator is in one buffer.`,
      )
    }
    if (count >= expectedCount) {
      throw refusal(
        `unexpected number of string elements ${count + 1} for inference input '${name}' for model '${config.name}', expecting ${expectedCount}`,
      )
    }
    const length = view.getUint32(at, true)
    if (length > left - 4) {
      throw refusal(
        `incomplete string data for inference input '${name}' for model '${config.name}', expecting string of length ${length} but only ${left - 4} bytes available. Please make sure the string data is in one buffer.`,
      )
    }
    at += 4 + length
    count += 1
  }
  if (count !== expectedCount) {
    throw refusal(
      `expected ${expectedCount} string elements for inference input '${name}' for model '${config.name}', got ${count}`,
    )
  }
}

function refusal(message: string): ServingError {
  return new ServingError('INVALID_ARG', message)
}
