import { OipError } from './errors.ts'
import type { ModelConfig, ModelInputConfig, ModelOutputConfig } from './model-config.ts'
import { elementCount } from './tensor.ts'

type Port = ModelInputConfig | ModelOutputConfig

/**
 * Looks at inputs, outputs and instances, once what the author left out is filled in from the model.
 *
 * @throws OipError `INVALID_ARG` in Triton's words.
 */
export function validateModelIo(config: ModelConfig): void {
  const fail = (message: string): never => {
    throw new OipError('INVALID_ARG', `${message} for ${config.name}`)
  }
  for (const input of config.input) validateInput(config, input, fail)
  for (const output of config.output) validatePort(config, output, { kind: 'output', fail })
  validateBatchInputs(config, fail)
  validateInstances(config)
}

type Fail = (message: string) => never

function validateInput(config: ModelConfig, input: ModelInputConfig, fail: Fail): void {
  validatePort(config, input, { kind: 'input', fail })
  const isImage = input.format === 'FORMAT_NHWC' || input.format === 'FORMAT_NCHW'
  if (isImage && input.dims.length !== 3) fail('model input NHWC/NCHW require 3 dims')
}

interface PortReport {
  readonly kind: 'input' | 'output'
  readonly fail: Fail
}

function validatePort(config: ModelConfig, port: Port, { kind, fail }: PortReport): void {
  if (port.name === '') fail(`model ${kind} must specify 'name'`)
  const subject = `model ${kind} '${port.name}'`
  if (port.data_type === 'TYPE_INVALID') fail(`${subject} must specify 'data_type'`)
  if (port.dims.length === 0) fail(`${subject} must specify 'dims'`)
  for (const dim of port.dims) {
    if (dim < 1 && dim !== -1) {
      fail(`${subject} dimension must be integer >= 1, or -1 to indicate a variable-size dimension`)
    }
  }
  if (port.reshape !== undefined) validateReshape(config, port.dims, { subject, port, fail })
  if (port.is_shape_tensor) fail(SHAPE_TENSOR)
  if (port.is_non_linear_format_io) fail(NON_LINEAR)
}

const SHAPE_TENSOR = 'shape tensors are only supported for TensorRT platform'
const NON_LINEAR = 'Non-linear IO format is only supported for the TensorRT platform'

interface ReshapeReport {
  readonly subject: string
  readonly port: Port
  readonly fail: Fail
}

function validateReshape(
  config: ModelConfig,
  dims: readonly number[],
  { subject, port, fail }: ReshapeReport,
): void {
  const shape = port.reshape?.shape ?? []
  if (shape.length === 0 && config.max_batch_size === 0) {
    fail(
      `${subject} cannot have empty reshape for non-batching model as scalar tensors are not supported`,
    )
  }
  const different = `${subject} has different size for dims and reshape`
  if (elementCount(dims) !== elementCount(shape)) fail(different)
  const [sizes, reshapedSizes] = [chunkSizes(dims), chunkSizes(shape)]
  if (sizes.length !== reshapedSizes.length) {
    fail(`${subject} has different number of variable-size dimensions for dims and reshape`)
  }
  if (sizes.some((size, index) => size !== reshapedSizes[index])) fail(different)
}

/** Numbers of elements between open dimensions: `[2,4,-1,6]` → 8, 6. */
function chunkSizes(dims: readonly number[]): readonly number[] {
  const sizes = [1]
  for (const dim of dims) {
    if (dim === -1) sizes.push(1)
    else sizes.push((sizes.pop() ?? 1) * dim)
  }
  return sizes
}

function validateBatchInputs(config: ModelConfig, fail: Fail): void {
  const inputs = new Set(config.input.map(({ name }) => name))
  const outputs = new Set(config.output.map(({ name }) => name))
  const requireSource = (names: readonly string[]): void => {
    const unknown = names.find((name) => !inputs.has(name))
    if (unknown !== undefined) fail(`unknown source input name '${unknown}'`)
  }
  for (const { kind, data_type: type, source_input: sources } of config.batch_input) {
    if (type !== 'TYPE_INT32' && type !== 'TYPE_FP32') {
      fail('batch input data type must be TYPE_INT32 or TYPE_FP32')
    }
    if (sources.length !== 1) {
      fail(`batch input kind '${kind}' expects 1 source input, got ${sources.length}`)
    }
    requireSource(sources)
  }
  for (const { target_name: targets, source_input: sources } of config.batch_output) {
    const unknown = targets.find((name) => !outputs.has(name))
    if (unknown !== undefined) fail(`unknown target output name '${unknown}'`)
    requireSource(sources)
  }
}

/** Instances as they are normalised: without GPUs nothing can be on one. */
function validateInstances({ name, instance_group: groups, backend }: ModelConfig): void {
  for (const group of groups) {
    const subject = `instance group ${group.name} of model ${name}`
    const reason = findGroupError(group.kind, group.gpus)
    if (reason !== undefined) throw new OipError('INVALID_ARG', `${subject} ${reason}`)
    if (group.profile.length > 0 && backend !== 'tensorrt') {
      throw new OipError(
        'INVALID_ARG',
        `${subject} and platform specifies profile field which is only supported for TensorRT models`,
      )
    }
  }
}

function findGroupError(kind: string, gpus: readonly number[]): string | undefined {
  if (kind === 'KIND_GPU') {
    const [gpu] = gpus
    return gpu === undefined
      ? 'has kind KIND_GPU but no GPUs are available'
      : `specifies invalid or unsupported gpu id ${gpu}. GPUs with at least the minimum required CUDA compute ` +
          'compatibility of 6.000000 are: '
  }
  if (kind !== 'KIND_CPU' && kind !== 'KIND_MODEL') return 'has unexpected kind KIND_AUTO'
  return gpus.length > 0 ? `has kind ${kind} but specifies one or more GPUs` : undefined
}
