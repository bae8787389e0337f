import { Buffer } from 'node:buffer'
import { elementCount, isDatatype } from '../../../wire/oip/tensor.ts'
import type { Tensor } from '../../../wire/oip/tensor.ts'
import type { InferenceResponse, Parameters } from '../backend.ts'
import { encodeElements } from '../grpc/typed-contents.ts'
import { read } from '../json-reader.ts'
import type { ModelConfig } from '../model-config.ts'
import type { ServedVersion } from '../served-version.ts'
import { ServingError } from '../serving-error.ts'
import type { HttpCall, HttpReply } from './http-call.ts'
import { isRecord, parseJsonBody } from './json-body.ts'
import { tensorToJson } from './tensor-json.ts'

/** An inference request, read. */
export interface InferBody {
  readonly id: string
  readonly inputs: readonly Tensor[]
  readonly outputNames: readonly string[]
  /** Outputs that are to come as bytes; the rest comes as JSON. */
  readonly binaryOutputs: ReadonlySet<string>
  /** What outputs that are not listed come as. */
  readonly isBinaryByDefault: boolean
  readonly parameters: Parameters
}

const HEADER = 'inference-header-content-length'

/** Reads a request of JSON, with the bytes of tensors behind it. @throws ServingError */
export function readInferBody(
  { body, headers }: HttpCall,
  config: ModelConfig,
  inputBytesMax: number,
): InferBody {
  const headerText = headers[HEADER]
  const jsonBytes =
    headerText === undefined ? body.byteLength : Number.parseInt(String(headerText), 10)
  if (!Number.isInteger(jsonBytes)) {
    throw refusal(`Unable to parse Inference-Header-Content-Length, got: ${String(headerText)}`)
  }
  if (jsonBytes < 0 || jsonBytes > body.byteLength) {
    throw refusal(
      `inference header size should be in range (0, ${body.byteLength}), got: ${jsonBytes}`,
    )
  }
  if (jsonBytes > inputBytesMax) throw refusal(`request JSON size exceeds ${inputBytesMax} bytes`)
  if (headerText !== undefined && jsonBytes === 0) return readRaw(body, config)
  const json = parseJsonBody(body.subarray(0, jsonBytes))
  const blobs = { body, at: jsonBytes, hasHeader: headerText !== undefined }
  if (!Array.isArray(json['inputs'])) throw missing('inputs')
  const inputs = read.objects(json['inputs']).map((input) => readInput(input, blobs, config.name))
  if (blobs.at < body.byteLength && blobs.hasHeader) {
    throw refusal(`unexpected additional input data for model '${config.name}'`)
  }
  const outputs = read.objects(json['outputs'])
  const { binary_data_output: isBinary, ...parameters } = readParameters(json['parameters'])
  const isWanted = (output: Readonly<Record<string, unknown>>): boolean =>
    read.object(output['parameters'])['binary_data'] === true
  return {
    id: readId(json['id']),
    inputs,
    outputNames: outputs.map(({ name }) => read.text(name)),
    binaryOutputs: new Set(outputs.filter(isWanted).map(({ name }) => read.text(name))),
    isBinaryByDefault: isBinary === true,
    parameters,
  }
}

interface Blobs {
  readonly body: Uint8Array
  readonly hasHeader: boolean
  at: number
}

function readInput(
  input: Readonly<Record<string, unknown>>,
  blobs: Blobs,
  modelName: string,
): Tensor {
  const name = read.text(input['name'])
  const datatype = read.text(input['datatype'])
  const shape = read.numbers(input['shape'])
  if (!isDatatype(datatype)) {
    throw refusal(`invalid datatype for input '${name}': ${datatype}`)
  }
  const size = read.object(input['parameters'])['binary_data_size']
  if (size === undefined) {
    if (datatype === 'FP16' || datatype === 'BF16') {
      throw refusal(
        `receiving ${datatype} data via JSON is not supported. Please use the binary data format for input ${name}`,
      )
    }
    if (!Array.isArray(input['data'])) throw missing('data')
    const values = flatten(input['data'])
    if (values.length !== elementCount(shape)) {
      const message = "Unable to parse 'data': Shape does not match true shape of 'data' field"
      throw new ServingError('INTERNAL', message)
    }
    const elements =
      datatype === 'BYTES' ? values.map((value) => Buffer.from(String(value), 'utf8')) : values
    return { name, datatype, shape, data: encodeElements(datatype, elements) }
  }
  const end = blobs.at + read.number(size)
  if (end > blobs.body.byteLength) {
    throw refusal(
      `unexpected size for input '${name}', expecting ${end - blobs.body.byteLength} additional bytes for model '${modelName}'`,
    )
  }
  const data = blobs.body.subarray(blobs.at, end)
  blobs.at = end
  return { name, datatype, shape, data }
}

function flatten(values: readonly unknown[]): readonly unknown[] {
  return values.some(Array.isArray) ? values.flat(Infinity) : values
}

function readRaw(body: Uint8Array, config: ModelConfig): InferBody {
  const [port] = config.inputs
  if (port === undefined || config.inputs.length !== 1) {
    throw refusal(
      `Raw request must only have 1 input (found 1) to be deduced but got ${config.inputs.length} inputs in '${config.name}' model configuration`,
    )
  }
  const shape = config.maxBatchSize > 0 ? [1, ...port.dims] : [...port.dims]
  const data = port.datatype === 'BYTES' ? encodeElements('BYTES', [body]) : body
  return {
    id: '',
    inputs: [{ name: port.name, datatype: port.datatype, shape, data }],
    outputNames: [],
    binaryOutputs: new Set(),
    isBinaryByDefault: true,
    parameters: {},
  }
}

function readId(id: unknown): string {
  if (id === undefined) return ''
  if (typeof id === 'string') return id
  const message = "Unable to parse 'id': attempt to access JSON non-string as string"
  throw new ServingError('INTERNAL', message)
}

function readParameters(value: unknown): Parameters {
  if (!isRecord(value)) return {}
  const parameters: Record<string, string | number | boolean> = {}
  for (const [name, one] of Object.entries(value)) {
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') {
      parameters[name] = one
    } else {
      throw refusal(
        `parameter '${name}' has invalid type. It should be either 'int', 'bool', or 'string'.`,
      )
    }
  }
  return parameters
}

/** Writes an answer as the request wants it. */
export function writeInferBody(
  request: InferBody,
  served: ServedVersion,
  { outputs, parameters }: InferenceResponse,
): HttpReply {
  const blobs: Uint8Array[] = []
  const described = outputs.map(({ name, datatype, shape, data }) => {
    const isListed = request.outputNames.includes(name)
    const isBinary = isListed ? request.binaryOutputs.has(name) : request.isBinaryByDefault
    if (!isBinary)
      return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(',')}],"data":${tensorToJson({ name, datatype, shape, data })}}`
    if (data.byteLength > 0) blobs.push(data)
    return JSON.stringify({
      name,
      datatype,
      shape,
      parameters: { binary_data_size: data.byteLength },
    })
  })
  const members = [
    ...(request.id === '' ? [] : [`"id":${JSON.stringify(request.id)}`]),
    `"model_name":${JSON.stringify(served.name)}`,
    `"model_version":"${served.version}"`,
    ...(parameters === undefined ? [] : [`"parameters":${JSON.stringify(parameters)}`]),
    `"outputs":[${described.join(',')}]`,
  ]
  const json = Buffer.from(`{${members.join(',')}}`, 'utf8')
  if (blobs.length === 0) {
    const headers = { 'content-type': 'application/json' }
    return { status: 200, headers, body: json, canCompress: true }
  }
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(json.byteLength),
  }
  return { status: 200, headers, body: [json, ...blobs], canCompress: true }
}

function missing(name: string): ServingError {
  const message = `Unable to parse '${name}': attempt to access non-existing object member '${name}'`
  return new ServingError('INTERNAL', message)
}

function refusal(message: string): ServingError {
  return new ServingError('INVALID_ARG', message)
}
