import { Buffer } from 'node:buffer'
import { bindRequest } from '../../codecs/bind.ts'
import { chooseReplyType, parseContentType } from '../../codecs/media-type.ts'
import { encodeReply } from '../../codecs/reply.ts'
import { parseRequest } from '../../codecs/request.ts'
import { mismatch } from '../../codecs/signature.ts'
import type { Port, Signature } from '../../codecs/signature.ts'
import type { NamedTensor } from '../../codecs/tensor.ts'
import { bytesOfElements, toElementType, viewElements } from '../../triton/onnx/element-bytes.ts'
import type { InputTensor, TensorContext } from '../author/model.ts'
import { memberOf, requiredMemberOf } from './defined-model.ts'
import type { UserFunction, UserFunctions } from './defined-model.ts'
import { HandlerContext } from './handler-context.ts'
import { parseSignature, toGivenTensors, toInputTensor } from './tensors.ts'
import type { DeclaredSignature, DeclaredTensor, GivenTensor } from './tensors.ts'

/**
 * The functions of the contract that a model with a signature stands for: bodies become its tensors, and its tensors bodies, as
 * `berth/onnx` does it.
 *
 * @throws TypeError its signature is not one, or it gives more than one response a request.
 */
export function functionsOfTensorModel(model: object): UserFunctions {
  const declared = parseSignature(Reflect.get(model, 'signature'))
  if (declared.isDecoupled) {
    throw new TypeError(
      'signature.isDecoupled is for the Triton server: a reply has one set of outputs.',
    )
  }
  const signature = toSignature(declared)
  const load = memberOf(model, 'load')
  const predict = requiredMemberOf(model, 'predict')
  const transformFn: UserFunction = async (...[, body, , , context]) => {
    if (!(context instanceof HandlerContext)) throw new TypeError('It has no context.')
    const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(bytesIn(body))
    const given = parseRequest(parseContentType(context.contentType), bytes)
    const replyType = chooseReplyType(context.accept)
    const inputs = bindRequest(given, signature)
    requireBatchFits(inputs, declared.maxBatchSize, signature)
    const answer: unknown = await predict(
      toInputs(inputs, declared),
      toTensorContext(context, inputs, declared),
    )
    const outputs = toGivenTensors(answer, declared).map(toNamedTensor)
    const isColumnar = given.kind === 'columns'
    const reply = encodeReply({ outputs, presentation: { kind: 'plain' }, isColumnar }, replyType)
    return [reply, replyType.mediaType]
  }
  return { modelFn: async (modelDirectory) => load?.({ modelDirectory }), transformFn }
}

/** @throws Rejection 400: the inputs have more rows than run together, or not all as many. */
function requireBatchFits(
  inputs: readonly NamedTensor[],
  maxBatchSize: number,
  signature: Signature,
): void {
  if (maxBatchSize === 0) return
  const counts = inputs.map(({ dims }) => dims[0] ?? 1)
  if (new Set(counts).size > 1) {
    const given = inputs.map(({ name }, index) => `${name} has ${counts[index]}`).join(', ')
    throw mismatch(`The inputs have different numbers of rows: ${given}`, signature)
  }
  const [rowCount = 0] = counts
  if (rowCount <= maxBatchSize) return
  throw mismatch(
    `The request has ${rowCount} rows; at most ${maxBatchSize} run together (signature.maxBatchSize)`,
    signature,
  )
}

function toSignature({ inputs, outputs, maxBatchSize }: DeclaredSignature): Signature {
  const toPort = ({ name, datatype, dims }: DeclaredTensor): Port => {
    const type = toElementType(datatype)
    if (type === undefined) throw new TypeError(`${name} is ${datatype}, which no body can hold.`)
    const own = dims.map((dim) => (dim === -1 ? '?' : dim))
    return { name, type, dims: maxBatchSize > 0 ? ['batch', ...own] : own }
  }
  return { inputs: inputs.map(toPort), outputs: outputs.map(toPort) }
}

function toInputs(
  inputs: readonly NamedTensor[],
  declared: DeclaredSignature,
): Readonly<Record<string, InputTensor>> {
  return Object.fromEntries(
    inputs.map(({ name, dims, elements }) => {
      const datatype = declared.inputs.find((input) => input.name === name)?.datatype ?? 'FP32'
      const { buffer, byteOffset, byteLength } = bytesOfElements(elements)
      return [name, toInputTensor(datatype, dims, { buffer, offset: byteOffset, byteLength })]
    }),
  )
}

function toTensorContext(
  { requestId, model, modelDirectory, signal }: HandlerContext,
  inputs: readonly NamedTensor[],
  { maxBatchSize }: DeclaredSignature,
): TensorContext<unknown> {
  const rowCount = maxBatchSize > 0 ? (inputs[0]?.dims[0] ?? 1) : 1
  return { model, modelDirectory, signal, requests: [{ id: requestId, rowCount, parameters: {} }] }
}

function toNamedTensor({ name, datatype, shape, data }: GivenTensor): NamedTensor {
  const type = toElementType(datatype)
  if (type === undefined) throw new TypeError(`${name} is ${datatype}, which no body can hold.`)
  const { buffer, byteOffset, byteLength } = data
  return {
    name,
    type,
    dims: shape,
    elements: viewElements(type, { buffer, offset: byteOffset, byteLength }),
  }
}

function bytesIn(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body
  throw new TypeError('The body is neither text nor bytes.')
}
