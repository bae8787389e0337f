import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { OipError, encodeOipError } from './errors.ts'
import { parseInferRequest, type InferRequest } from './infer-request.ts'
import { encodeInferResponse, type EncodedResponse } from './infer-response.ts'
import { parseJson, type JsonValue } from './json.ts'
import { parseModelConfigText } from './model-config-codec.ts'
import type { ModelPorts } from './raw-request.ts'
import { isDatatype, type Tensor } from './tensor.ts'

// What tritonserver 2.51 said: scripts/record-triton.ts.
const FIXTURES = resolve(import.meta.dirname, '../../../test/fixtures/triton')

type RecordedBody = { readonly text: string } | { readonly base64: string }
interface Exchange {
  readonly name: string
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: RecordedBody
  }
  readonly response?: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: RecordedBody
  }
}

const recorded = JSON.parse(readFileSync(join(FIXTURES, 'recorded.json'), 'utf8')) as {
  exchanges: Exchange[]
}

// What later releases say instead, or what Berth says on purpose; source: reference §10.4, §21 and the code's comments.
const DIFFERENT: Readonly<Record<string, RegExp>> = {
  'header length "abc"': /^Unable to parse Inference-Header-Content-Length, got: abc$/,
  'header length ""': /^Unable to parse Inference-Header-Content-Length, got: $/,
  'source: binary size without header': /^must specify valid 'Infer-Header-Content-Length'/,
  'source: shared memory unknown': /^Client shared memory is disabled/,
  'source: shared memory without size': /^Client shared memory is disabled/,
  'shape huge': /^invalid shape for input 'INPUT0': shape \[9223372036854775807,2\] causes total/,
  'shape over int64': /^invalid shape for input 'INPUT0': shape \[9223372036854775808,2\] causes/,
  'shape of many elements, little data':
    /^JSON input 'INPUT0' has a byte_size \(8000000000000 bytes/,
  'binary of an unknown datatype': /^invalid datatype for input INPUT0$/,
  'output twice': /^\[request id: <id_unknown>\] output 'OUTPUT0' already exists in request$/,
  'outputs: classification of BYTES': /^class result not available for output due to unsupported/,
}

// Errors of the model or of the front of its scheduler: a request that leads to one is well-formed.
const LATER =
  /^\[request id|^Request for unknown|^unexpected inference|^HTTP end point|^the model refuses|^Failed to process|^inference request |^incomplete string data|^failed to get model version|^Not Found/

for (const exchange of recorded.exchanges) {
  const model = /^\/v2\/models\/(\w+)(?:\/versions\/\d+)?\/infer$/.exec(exchange.request.path)?.[1]
  const { method, headers } = exchange.request
  const isCoded = (headers['Content-Encoding'] ?? 'identity') !== 'identity'
  if (method !== 'POST' || model === undefined || isCoded || model === 'nosuch') continue
  test(`as tritonserver: ${exchange.name}`, () => replay(exchange, model))
}

function replay(exchange: Exchange, model: string): void {
  const ports = portsOf(model)
  let request: InferRequest
  let reply: EncodedResponse | undefined
  try {
    request = parseInferRequest(bytesOf(exchange.request.body ?? { text: '' }), {
      headerLength: exchange.request.headers['Inference-Header-Content-Length'],
      model: ports,
    })
    const text =
      exchange.response && 'text' in exchange.response.body ? exchange.response.body.text : ''
    const isAnswered = exchange.response?.status !== 400 || text.includes('sending FP16')
    if (isAnswered)
      reply = answer(request, ports, exchange.request.path.includes('/1/') ? '1' : '3')
  } catch (error) {
    assert.ok(error instanceof OipError, String(error))
    assertRefused(exchange, error)
    return
  }
  assert.equal(DIFFERENT[exchange.name], undefined)
  assert.ok(exchange.response)
  const { status, body } = exchange.response
  if (status !== 200) {
    const { error } = JSON.parse('text' in body ? body.text : '') as { error: string }
    assert.match(error, LATER)
  } else if (reply !== undefined) assertSameReply(reply, exchange.response)
}

function assertRefused({ name, response }: Exchange, error: OipError): void {
  const different = DIFFERENT[name]
  if (different !== undefined) {
    assert.match(error.message, different)
    return
  }
  assert.ok(response)
  const { status, body } = encodeOipError(error)
  const expected = 'text' in response.body ? response.body.text : ''
  assert.deepEqual(
    { status, body: JSON.parse(body) as unknown },
    { status: response.status, body: JSON.parse(expected) as unknown },
  )
}

/** What the fixtures' models answer, as far as that is easily said. */
function answer(
  request: InferRequest,
  model: ModelPorts,
  version: string,
): EncodedResponse | undefined {
  const outputs = answerOf(request, model)
  if (outputs === undefined) return undefined
  const { requestedOutputs: wanted } = request
  return encodeInferResponse(
    {
      id: request.id,
      modelName: model.name,
      modelVersion: model.name === 'simple' ? version : '1',
      outputs: outputs.filter(
        ({ name }) => wanted.length === 0 || wanted.some((one) => one.name === name),
      ),
    },
    {
      requested: request,
      isBatched: model.maxBatchSize > 0,
      labelsOf: (name) =>
        model.name === 'simple' && name === 'OUTPUT0'
          ? Array.from({ length: 16 }, (_, index) => `lbl${index}`)
          : [],
    },
  )
}

function answerOf(
  { inputs }: InferRequest,
  { name, inputs: ports }: ModelPorts,
): Tensor[] | undefined {
  const isFitting = ports.every((port) => inputs.some((input) => input.name === port.name))
  if (name === 'simple') {
    const [a, b] = inputs
    if (!isFitting || a?.data.length !== 64 || b?.data.length !== 64) return undefined
    return addAndSubtract(a, b)
  }
  if (name === 'identity') {
    return inputs.map((input) => ({ ...input, name: input.name.replace('IN_', 'OUT_') }))
  }
  const isIdentity = [
    'identity_fp32',
    'identity_bytes',
    'raw_bytes',
    'matrix',
    'batcher',
    'classes_bytes',
  ]
  return isIdentity.includes(name)
    ? inputs.map((input) => ({ ...input, name: 'OUTPUT0' }))
    : undefined
}

function addAndSubtract(a: Tensor, b: Tensor): Tensor[] {
  const [x, y] = [a, b].map(({ data }) => new Int32Array(new Uint8Array(data).buffer))
  const apply = (by: (left: number, right: number) => number): Uint8Array =>
    new Uint8Array(Int32Array.from(x ?? [], (left, index) => by(left, y?.[index] ?? 0)).buffer)
  return [
    { ...a, name: 'OUTPUT0', data: apply((left, right) => left + right) },
    { ...a, name: 'OUTPUT1', data: apply((left, right) => left - right) },
  ]
}

function assertSameReply(
  reply: EncodedResponse,
  expected: NonNullable<Exchange['response']>,
): void {
  const headers = Object.fromEntries(
    Object.entries(reply.headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  assert.deepEqual(headers, expected.headers)
  const split = (body: Uint8Array): [unknown, string] => {
    const length = Number(expected.headers['inference-header-content-length'] ?? body.length)
    const json = plain(parseJson(body.subarray(0, length)))
    return [json, Buffer.from(body.subarray(length)).toString('hex')]
  }
  assert.deepEqual(split(reply.body), split(bytesOf(expected.body)))
}

/** As JavaScript has it; integers and fractions stay apart. */
function plain(value: JsonValue): unknown {
  switch (value.kind) {
    case 'null':
      return null
    case 'boolean':
    case 'string':
      return value.value
    case 'number':
      return value.integer ?? value.value
    case 'array':
      return value.items.map(plain)
    case 'object':
      return Object.fromEntries([...value.members].map(([name, member]) => [name, plain(member)]))
    case 'span':
      return undefined
  }
}

function portsOf(model: string): ModelPorts {
  const text = readFileSync(join(FIXTURES, 'repository', model, 'config.pbtxt'), 'utf8')
  const config = parseModelConfigText(text)
  const inputs = config.input.map(({ name, data_type: type, dims }) => {
    const datatype = type.replace('TYPE_', '').replace('STRING', 'BYTES')
    assert.ok(isDatatype(datatype))
    return { name, datatype, dims }
  })
  return { name: model, maxBatchSize: config.max_batch_size, inputs }
}

function bytesOf(body: RecordedBody): Buffer {
  return 'text' in body ? Buffer.from(body.text) : Buffer.from(body.base64, 'base64')
}
