import { OipError } from './errors.ts'
import { encodeParameter } from './infer-response.ts'
import { isArraySpan, parseJson, type JsonValue } from './json.ts'
import { findMember, stringOf } from './json-members.ts'
import { parseCustomParameter, type Parameters, type ParameterValue } from './request-parameters.ts'
import type { ModelPorts } from './raw-request.ts'
import { tensorFromJson } from './tensor-from-json.ts'
import { tensorToJson } from './tensor-to-json.ts'
import { byteSizeOf, type Tensor } from './tensor.ts'

type ModelPort = ModelPorts['inputs'][number]
type Span = Extract<JsonValue, { kind: 'span' }>

/** A request of the generate extension, read. */
export interface GenerateRequest {
  /** Empty for none. */
  readonly id: string
  readonly inputs: readonly Tensor[]
  readonly parameters: Parameters
}

/**
 * Reads the body of `POST …/generate`: a flat JSON object. Members that are named as inputs become tensors, the members of
 * `parameters` are read as if they were its own, and all others are parameters of the request.
 *
 * @throws OipError in Triton's words.
 */
export function parseGenerateRequest(body: Uint8Array, model: ModelPorts): GenerateRequest {
  const ports = new Map(model.inputs.map((port) => [port.name, port]))
  const isBatched = model.maxBatchSize > 0
  // An input's value stays bytes, whatever it is; `parameters` and `id` are never inputs.
  const json = parseJson(body, (name) => ports.has(name) && name !== NESTED && name !== 'id')
  if (json.kind !== 'object')
    throw new OipError('INTERNAL', 'attempt to get members for non-object')
  const idMember = findMember(json, 'id')
  const id = idMember === undefined ? '' : stringOf(idMember, 'id')
  const inputs = new Map<string, Tensor>()
  const parameters = new Map<string, ParameterValue>()
  const take = (name: string, value: JsonValue): void => {
    const port = ports.get(name)
    if (port === undefined || value.kind !== 'span') {
      parameters.set(name, parseCustomParameter(name, value))
    } else if (inputs.has(name)) {
      const request = `[request id: ${id === '' ? '<id_unknown>' : id}]`
      throw new OipError('INVALID_ARG', `${request} input '${name}' already exists in request`)
    } else inputs.set(name, toTensor(port, value, isBatched))
  }
  for (const [name, value] of json.members) {
    if (name === 'id') continue
    if (name === NESTED) takeNested(value, take)
    else take(name, value)
  }
  return { id, inputs: [...inputs.values()], parameters }
}

const NESTED = 'parameters'

function takeNested(value: JsonValue, take: (name: string, value: JsonValue) => void): void {
  if (value.kind !== 'object') {
    const message = `Expected JSON object for keyword: '${NESTED}': attempt to access JSON non-object as object`
    throw new OipError('INTERNAL', message)
  }
  try {
    for (const [name, member] of value.members) take(name, member)
  } catch (error) {
    if (!(error instanceof OipError)) throw error
    throw new OipError(error.code, `Converting keyword: '${NESTED}': ${error.message}`)
  }
}

function toTensor({ name, datatype, dims }: ModelPort, span: Span, isBatched: boolean): Tensor {
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw new OipError(
      'INVALID_ARG',
      `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input ${name}`,
    )
  }
  const count = countItems(span)
  const shape = fillShape(isBatched ? [-1, ...dims] : dims, count)
  if (shape === undefined) {
    const message = `The schema can not convert input '${name}' to tensor with proper shape`
    throw new OipError('INVALID_ARG', message)
  }
  return { name, datatype, shape, data: tensorFromJson(span, { datatype, count }) }
}

/** Items of the outermost array; 1 for a value that is none. */
function countItems(span: Span): number {
  if (!isArraySpan(span)) return 1
  const { bytes, start, end } = span
  let depth = 0
  let commaCount = 0
  let isEmpty = true
  for (let at = start + 1; at < end - 1; at++) {
    const byte = bytes[at] ?? 0
    if (byte > 0x20) isEmpty = false
    if (byte === 0x22) at = endOfString(bytes, at)
    else if (byte === 0x5b || byte === 0x7b) depth += 1
    else if (byte === 0x5d || byte === 0x7d) depth -= 1
    else if (byte === 0x2c && depth === 0) commaCount += 1
  }
  return isEmpty ? 0 : commaCount + 1
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1
  while (bytes[at] !== 0x22) at += bytes[at] === 0x5c ? 2 : 1
  return at
}

/**
 * The shape of so many elements: the innermost open size takes what the fixed ones leave, all others are 1.
 *
 * ```text
 * [-1, 2] and 4 elements → [2, 2]
 * [-1, 2] and 3 elements → undefined
 * ```
 */
export function fillShape(dims: readonly number[], count: number): readonly number[] | undefined {
  let left = count
  for (const dim of dims) {
    if (dim === -1) continue
    if (dim === 0 || left % dim !== 0) return undefined
    left /= dim
  }
  const open = dims.lastIndexOf(-1)
  if (open === -1 && left !== 1) return undefined
  return dims.map((dim, axis) => (axis === open ? left : dim === -1 ? 1 : dim))
}

/** One response of the generate extension, to be written. */
export interface GenerateResponse {
  readonly id: string
  readonly modelName: string
  readonly modelVersion: string
  readonly outputs: readonly Tensor[]
  readonly parameters?: Parameters
}

/**
 * A response as one flat JSON object, members by name: an output of one element is a value, one of more an array.
 *
 * @throws OipError `INVALID_ARG`: an output has no JSON form.
 */
export function encodeGenerateResponse(response: GenerateResponse): string {
  const { id, modelName, modelVersion, outputs, parameters = [] } = response
  const members = new Map<string, string>([
    ...(id === '' ? [] : [['id', JSON.stringify(id)] as const]),
    ['model_name', JSON.stringify(modelName)],
    ['model_version', JSON.stringify(modelVersion)],
    ...outputs.map((output) => [output.name, encodeOutput(output)] as const),
    ...[...parameters].map(([name, value]) => [name, encodeParameter(value)] as const),
  ])
  // By bytes, as `std::map` has it, not by the order of a language.
  const sorted = [...members].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return `{${sorted.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
}

function encodeOutput(output: Tensor): string {
  const text = tensorToJson(output)
  return isOne(output) ? text.slice(1, -1) : text
}

function isOne({ datatype, data }: Tensor): boolean {
  const size = byteSizeOf(datatype)
  if (size !== undefined) return data.length === size
  if (data.length < 4) return false
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return view.getUint32(0, true) === data.length - 4
}
