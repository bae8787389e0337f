import { OipError } from './errors.ts'
import { isDataArray, parseJson, type JsonValue } from './json.ts'
import {
  booleanOf,
  findMember,
  getMember,
  itemsOf,
  stringOf,
  unsignedOf,
  wrongKind,
} from './json-members.ts'
import { deduceRawInput, type ModelPorts } from './raw-request.ts'
import { parseParameters, type Parameters } from './request-parameters.ts'
import { parseSharedPart, sharedMemoryDisabled, type SharedPart } from './shared-part.ts'
import { byteSizeOf, isDatatype, type Datatype, type Tensor } from './tensor.ts'
import { tensorFromJson } from './tensor-from-json.ts'

/** An output that a request asks for by name. */
export interface RequestedOutput {
  readonly name: string
  readonly isBinary: boolean
  /** The best classes instead of all values; 0 for the values. */
  readonly classCount: number
  /** Where its bytes are to go instead of into the reply. */
  readonly shared: SharedPart | undefined
}

/** An inference request, read. */
export interface InferRequest {
  /** Empty for none. */
  readonly id: string
  readonly inputs: readonly Tensor[]
  /** None: all outputs of the model. */
  readonly requestedOutputs: readonly RequestedOutput[]
  /** Whether outputs that are not listed come as bytes. */
  readonly isBinaryByDefault: boolean
  readonly parameters: Parameters
}

/** What a body is read with. */
export interface InferRequestOptions {
  /** Value of `Inference-Header-Content-Length`. */
  readonly headerLength: string | undefined
  /** The model's name for messages, its inputs for requests without JSON. */
  readonly model: ModelPorts
  /** Bytes that the JSON, and what JSON says of one tensor, may have. */
  readonly jsonBytesMax?: number
  /** Reads a part of a region that clients share with the server; without it there are none. @throws OipError */
  readonly readShared?: (part: SharedPart) => Uint8Array
}

const JSON_BYTES_MAX = 64 * 1024 * 1024
const INT64_MAX = 2n ** 63n - 1n

/**
 * Reads the body of `POST …/infer`: JSON, with the bytes of tensors behind it or in it, or nothing but one tensor.
 *
 * Tensors that came as bytes are views of the body.
 *
 * @throws OipError in Triton's words; whether names, shapes and datatypes are those of the model is not looked at.
 */
export function parseInferRequest(body: Uint8Array, options: InferRequestOptions): InferRequest {
  const { headerLength, model, jsonBytesMax = JSON_BYTES_MAX } = options
  const jsonSize = headerLength === undefined ? body.length : parseHeaderLength(headerLength, body)
  if (jsonSize === 0) return { ...RAW_REQUEST, inputs: [deduceRawInput(body, model, jsonBytesMax)] }
  refuseLargeJson(jsonSize, jsonBytesMax)
  const json = parseJson(body.subarray(0, jsonSize), isDataArray)
  const id = parseId(findMember(json, 'id'))
  const { parameters, isBinaryByDefault } = parseParameters(findMember(json, 'parameters'))
  const blobs = new Blobs(body, jsonSize, headerLength !== undefined)
  const inputs = itemsOf(getMember(json, 'inputs'), 'inputs').map((input) =>
    parseInput(input, blobs, { model, jsonBytesMax, readShared: options.readShared }),
  )
  if (blobs.isLeft()) throw invalid(`unexpected additional input data for model '${model.name}'`)
  return {
    id,
    inputs,
    requestedOutputs: parseOutputs(findMember(json, 'outputs'), {
      id,
      canShare: options.readShared !== undefined,
    }),
    isBinaryByDefault,
    parameters,
  }
}

const RAW_REQUEST = {
  id: '',
  requestedOutputs: [],
  isBinaryByDefault: true,
  parameters: new Map(),
} as const

// As C's `stoi`: white space, a sign, digits, and whatever follows them.
const STOI = /^[ \t\n\v\f\r]*([+-]?\d+)/

function parseHeaderLength(text: string, { length }: Uint8Array): number {
  const digits = STOI.exec(text)?.[1]
  if (digits === undefined) {
    throw invalid(`Unable to parse Inference-Header-Content-Length, got: ${text}`)
  }
  const size = Number(digits)
  if (size >= 0 && size <= length) return size
  throw invalid(
    `inference header size should be in range (0, ${length}), got: ${String(BigInt(digits))}`,
  )
}

/** The bytes behind the JSON, taken one tensor after the other. */
class Blobs {
  readonly hasHeader: boolean
  readonly #body: Uint8Array
  #at: number

  constructor(body: Uint8Array, start: number, hasHeader: boolean) {
    this.#body = body
    this.#at = start
    this.hasHeader = hasHeader
  }

  /** The next bytes, as a view; how many are missing when there are not so many. */
  take(size: bigint): Uint8Array | bigint {
    const left = this.#body.length - this.#at
    if (size > left) return size - BigInt(left)
    const start = this.#at
    this.#at += Number(size)
    return this.#body.subarray(start, this.#at)
  }

  isLeft(): boolean {
    return this.#at < this.#body.length
  }
}

interface InputLimits {
  readonly model: ModelPorts
  readonly jsonBytesMax: number
  readonly readShared: InferRequestOptions['readShared']
}

function parseInput(
  input: JsonValue,
  blobs: Blobs,
  { model, jsonBytesMax, readShared }: InputLimits,
): Tensor {
  const source = parseSource(input)
  const name = stringOf(getMember(input, 'name'), 'name')
  const datatypeName = stringOf(getMember(input, 'datatype'), 'datatype')
  const shape = parseShape(getMember(input, 'shape'), name)
  if (!isDatatype(datatypeName)) throw invalid(`invalid datatype for input ${name}`)
  const tensor = { name, datatype: datatypeName, shape: shape.dims }
  if (source === 'data') {
    const wanted = { datatype: datatypeName, shape, jsonBytesMax }
    return { ...tensor, data: parseData(getMember(input, 'data'), name, wanted) }
  }
  if (source === 'shared_memory_region') {
    if (readShared === undefined) throw sharedMemoryDisabled()
    return { ...tensor, data: readShared(parseSharedPart(findMember(input, 'parameters'))) }
  }
  const size = sourceSize(input)
  if (!blobs.hasHeader) throw invalid(NO_HEADER)
  const data = blobs.take(size)
  if (typeof data === 'bigint') {
    throw invalid(
      `unexpected size for input '${name}', expecting ${data} additional bytes for model '${model.name}'`,
    )
  }
  return { ...tensor, data }
}

// The header's name is misspelt by Triton.
const NO_HEADER =
  "must specify valid 'Infer-Header-Content-Length' in request header and 'binary_data_size' " +
  'when passing inputs in binary data format'

type Source = 'data' | 'binary_data_size' | 'shared_memory_region'

/** Where an input's elements are: in exactly one place. */
function parseSource(input: JsonValue): Source {
  const parameters = findMember(input, 'parameters')
  const sources: Source[] = []
  if (findMember(input, 'data') !== undefined) sources.push('data')
  for (const name of ['binary_data_size', 'shared_memory_region'] as const) {
    if (findMember(parameters, name) !== undefined) sources.push(name)
  }
  const [source, ...more] = sources
  if (source !== undefined && more.length === 0) return source
  const found =
    source === undefined ? 'no field is set' : `set ${sources.map((name) => `'${name}'`).join(' ')}`
  throw invalid(
    "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', " +
      `'shared_memory_region' in 'parameters'. But ${found}`,
  )
}

function sourceSize(input: JsonValue): bigint {
  const size = findMember(findMember(input, 'parameters'), 'binary_data_size')
  if (size === undefined) throw new Error('An input whose source is bytes has a size.')
  return unsignedOf(size, 'binary_data_size')
}

interface Shape {
  readonly dims: readonly number[]
  readonly count: bigint
}

function parseShape(value: JsonValue, name: string): Shape {
  const dims = itemsOf(value, 'shape').map((dim) => unsignedOf(dim, 'shape'))
  let count = 1n
  for (const dim of dims) {
    count *= dim
    if (count > INT64_MAX || dim > INT64_MAX) {
      throw invalid(
        `invalid shape for input '${name}': shape [${dims.join(',')}] causes total element count to exceed ` +
          `maximum size of ${INT64_MAX}`,
      )
    }
  }
  return { dims: dims.map(Number), count }
}

interface WantedData {
  readonly datatype: Datatype
  readonly shape: Shape
  readonly jsonBytesMax: number
}

function parseData(
  value: JsonValue,
  name: string,
  { datatype, shape, jsonBytesMax }: WantedData,
): Uint8Array {
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw invalid(
      `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input ${name}`,
    )
  }
  if (value.kind !== 'span') throw wrongKind('data', 'array')
  const byteSize = shape.count * BigInt(byteSizeOf(datatype) ?? 1)
  if (byteSize > jsonBytesMax) throw tooLarge(`JSON input '${name}'`, byteSize, jsonBytesMax)
  const data = tensorFromJson(value, { datatype, count: Number(shape.count) })
  if (data.length > jsonBytesMax) throw tooLarge(`JSON input '${name}'`, data.length, jsonBytesMax)
  return data
}

function parseId(value: JsonValue | undefined): string {
  return value === undefined ? '' : stringOf(value, 'id')
}

function parseOutputs(
  value: JsonValue | undefined,
  { id, canShare }: { readonly id: string; readonly canShare: boolean },
): readonly RequestedOutput[] {
  if (value === undefined) return []
  const byName = new Map<string, RequestedOutput>()
  for (const output of itemsOf(value, 'outputs').map(parseOutput)) {
    if (output.shared !== undefined && !canShare) throw sharedMemoryDisabled()
    if (byName.has(output.name)) {
      const request = `[request id: ${id || '<id_unknown>'}]`
      throw invalid(`${request} output '${output.name}' already exists in request`)
    }
    byName.set(output.name, output)
  }
  return [...byName.values()]
}

function parseOutput(output: JsonValue): RequestedOutput {
  const name = stringOf(getMember(output, 'name'), 'name')
  const parameters = findMember(output, 'parameters')
  const isShared = findMember(parameters, 'shared_memory_region') !== undefined
  const classification = findMember(parameters, 'classification')
  const classes =
    classification === undefined ? 0n : unsignedOf(classification, 'classification', 'set')
  if (isShared && classes > 0n) throw exclusive('classification')
  const binary = findMember(parameters, 'binary_data')
  const isBinary = binary !== undefined && booleanOf(binary, 'binary_data')
  if (isShared && isBinary) throw exclusive('binary_data')
  const shared = isShared ? parseSharedPart(parameters) : undefined
  return { name, isBinary, classCount: Number(classes), shared }
}

function exclusive(parameter: string): OipError {
  return invalid(`Output can't set both 'shared_memory_region' and '${parameter}'`)
}

/** @throws OipError `INVALID_ARG`: there is more JSON than a server takes. */
export function refuseLargeJson(size: number, max: number): void {
  if (size > max) throw tooLarge('request JSON', size, max)
}

function tooLarge(subject: string, size: number | bigint, max: number): OipError {
  return invalid(
    `${subject} has a byte_size (${size} bytes) that exceeds the maximum allowed value of ${max} bytes. ` +
      'Use --http-max-input-size to increase the limit.',
  )
}

function invalid(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
