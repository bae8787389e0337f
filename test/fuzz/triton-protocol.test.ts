import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { credentials, makeClientConstructor } from '@grpc/grpc-js'
import type { Client, ServiceError } from '@grpc/grpc-js'
import fc from 'fast-check'
import { exchange, recordBody } from '../../scripts/record-triton/exchange.ts'
import { loadProtocol } from '../../src/modelserver/triton/grpc/load-protocol.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'

// Whatever is sent is answered by a coded error, and what is right after it is served.
const RUNS = 150
const INFER = '/inference.GRPCInferenceService/ModelInfer'
const CODES = new Set([3, 5, 12, 13])
const { service } = loadProtocol('inference.proto', 'inference.GRPCInferenceService')

let repository: TestRepository
let server: RunningTriton
let client: Client

before(async () => {
  repository = new TestRepository({
    'affine/1/model.onnx': { fixture: 'affine.onnx' },
    'words/1/model.onnx': { fixture: 'identity-string.onnx' },
  })
  server = await startTriton(repository.path)
  const Raw = makeClientConstructor(service, 'raw')
  client = new Raw(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure())
})

after(async () => {
  client.close()
  assert.equal(await server.stop(), 0)
  repository[Symbol.dispose]()
})

const FLOATS = Buffer.from(Float32Array.of(1, 2, 3).buffer)
const HEAD = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], parameters: { binary_data_size: 12 } }],
}

function encodeRequest(): Buffer {
  const method = service['ModelInfer']
  assert.ok(method)
  return method.requestSerialize({
    model_name: 'affine',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3] }],
    raw_input_contents: [FLOATS],
  })
}

function callRaw(bytes: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const same = (value: Buffer): Buffer => value
    client.makeUnaryRequest(INFER, same, same, bytes, (error: ServiceError | null) =>
      resolve(error?.code ?? 0),
    )
  })
}

interface Posted {
  readonly body: Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly model?: string
}

function post({ body, headers = {}, model = 'affine' }: Posted) {
  const path = `/v2/models/${model}/infer`
  return exchange(server.httpPort, { method: 'POST', path, headers, body: recordBody(body) })
}

async function assertServes(): Promise<void> {
  assert.equal(await callRaw(encodeRequest()), 0)
  const head = Buffer.from(JSON.stringify(HEAD))
  const headers = { 'inference-header-content-length': String(head.length) }
  assert.equal((await post({ body: Buffer.concat([head, FLOATS]), headers })).status, 200)
}

/** Bytes that were right before some of them were changed, or what followed them was cut off. */
const spoilt = (right: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(right.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(right.length),
    )
    .map(([changes, length]) => {
      const bytes = Buffer.from(right)
      for (const [at, byte] of changes) bytes[at] = byte
      return bytes.subarray(0, length)
    })

test('messages that are none are refused as Triton refuses them', async () => {
  assert.equal(await callRaw(Buffer.from([0xff, 0xff, 0xff])), 13)
  assert.equal(await callRaw(Buffer.from([0x0a, 0x0f, 0x78])), 13)
  await assertServes()
})

test('messages that are spoilt are answered or refused', async () => {
  const arbitrary = fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    spoilt(encodeRequest()),
  )
  await fc.assert(
    fc.asyncProperty(arbitrary, async (bytes) => {
      const code = await callRaw(bytes)
      assert.ok(code === 0 || CODES.has(code), `code ${code}`)
    }),
    { numRuns: RUNS },
  )
  await assertServes()
})

test('a spoilt message in a stream ends that stream alone', async () => {
  const same = (value: Buffer): Buffer => value
  const stream = client.makeBidiStreamRequest(
    '/inference.GRPCInferenceService/ModelStreamInfer',
    same,
    same,
  )
  const failed = new Promise<ServiceError>((resolve) => stream.once('error', resolve))
  stream.on('data', () => undefined)
  stream.write(Buffer.from([0xff, 0xff]))
  assert.equal((await failed).code, 13)
  await assertServes()
})

test('binary headers with any length are answered or refused', async () => {
  const right = Buffer.concat([Buffer.from(JSON.stringify(HEAD)), FLOATS])
  const length = fc.oneof(
    fc.integer().map(String),
    fc.nat(right.length + 2).map(String),
    fc.constantFrom('', 'abc', '1e9', '99999999999999999999', '-0', ' 12', '12abc'),
  )
  await fc.assert(
    fc.asyncProperty(spoilt(right), length, async (body, jsonBytes) => {
      const headers = { 'inference-header-content-length': jsonBytes }
      const { status } = await post({ body, headers })
      assert.ok([200, 400, 500, 501].includes(status), `status ${status}`)
    }),
    { numRuns: RUNS },
  )
  await assertServes()
})

test('texts with lengths beyond their bytes are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 24 }), async (data) => {
      const shape = [1, 1]
      const parameters = { binary_data_size: data.length }
      const head = Buffer.from(
        JSON.stringify({ inputs: [{ name: 'x', datatype: 'BYTES', shape, parameters }] }),
      )
      const headers = { 'inference-header-content-length': String(head.length) }
      const body = Buffer.concat([head, data])
      const { status } = await post({ body, headers, model: 'words' })
      const isOne = data.length >= 4 && Buffer.from(data).readUInt32LE(0) === data.length - 4
      assert.ok(isOne ? [200, 400].includes(status) : status === 400, `status ${status}`)
    }),
    { numRuns: RUNS },
  )
  await assertServes()
})

test('compressions that are spoilt are refused', async () => {
  const json = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }] }
  await fc.assert(
    fc.asyncProperty(spoilt(gzipSync(JSON.stringify(json))), async (body) => {
      const { status } = await post({ body, headers: { 'content-encoding': 'gzip' } })
      assert.ok([200, 400, 500].includes(status), `status ${status}`)
    }),
    { numRuns: RUNS },
  )
  await assertServes()
})
