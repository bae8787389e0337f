import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { finished } from 'node:stream/promises'

import { credentials, makeClientConstructor } from '@grpc/grpc-js'
import type { Client } from '@grpc/grpc-js'

import { loadProtocol } from '../../src/modelserver/triton/grpc/load-protocol.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

// Answers with a megabyte at a time for as long as anybody listens, at most `count` times, and then leaves a file.
const FLOOD = `
import { writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { defineModel, textsOf } from 'berth/model'
const megabyte = 'a'.repeat(2 ** 20)
export default defineModel({
  signature: {
    inputs: { file: { datatype: 'BYTES', dims: [1] }, count: { datatype: 'INT32', dims: [1] } },
    outputs: { part: { datatype: 'BYTES', dims: [1] } },
    isDecoupled: true,
  },
  async *predict({ file, count }) {
    const [path] = textsOf(file)
    let sent = 0
    try {
      for (; sent < count.data[0]; sent += 1) {
        yield { part: { shape: [1], data: [megabyte] } }
        await setImmediate()
      }
    } finally {
      writeFileSync(path, String(sent))
    }
  },
})
`
const UNREAD_BYTES = 8 * 2 ** 20
// Far more than is allowed and than sockets hold.
const COUNT = 400

let repository: TestRepository
let server: RunningTriton
let client: Client

const { service } = loadProtocol('inference.proto', 'inference.GRPCInferenceService')
const { ModelInfer, ModelStreamInfer } = service
if (ModelInfer === undefined || ModelStreamInfer === undefined) throw new Error('no inference')

before(async () => {
  repository = new TestRepository({
    'flood/1/model.ts': { text: FLOOD },
    'affine/1/model.onnx': { fixture: 'affine.onnx' },
  })
  server = await startTriton(repository.path, [`--stream-unread-bytes=${UNREAD_BYTES}`])
  const InferenceClient = makeClientConstructor(service, 'inference')
  client = new InferenceClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure())
})

after(async () => {
  client.close()
  assert.equal(await server.stop(), 0)
  repository[Symbol.dispose]()
})

const openStream = () => {
  const { path, requestSerialize, responseDeserialize } = ModelStreamInfer
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
}

const flood = (file: string, count: number) => ({
  model_name: 'flood',
  inputs: [
    {
      name: 'file',
      datatype: 'BYTES',
      shape: [1],
      contents: { bytes_contents: [Buffer.from(file)] },
    },
    { name: 'count', datatype: 'INT32', shape: [1], contents: { int_contents: [count] } },
  ],
})

async function answersStill(): Promise<void> {
  const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }]
  const { status, text } = await server.send('POST', '/v2/models/affine/infer', { inputs })
  assert.equal(status, 200, text)
}

test('a gRPC stream that is not read is broken off, and its model hears of it', async () => {
  const file = join(repository.path, 'grpc-flood-ended')
  const stream = openStream()
  const failed = once(stream, 'error')
  stream.write(flood(file, COUNT))
  await until('the model to be told', () => existsSync(file))
  await answersStill()
  let readBytes = 0
  stream.on('data', () => (readBytes += 2 ** 20))
  const [error]: unknown[] = await failed
  assert.ok(error instanceof Error)
  assert.match(
    error.message,
    /^14 UNAVAILABLE: the client has left \d+ bytes of replies unread; --stream-unread-bytes is 8388608$/,
  )
  assert.ok(readBytes < COUNT * 2 ** 20)
})

test('a gRPC stream that is read gets everything, however much it is', async () => {
  const stream = openStream()
  stream.write(flood(join(repository.path, 'read-flood-ended'), 4))
  stream.end()
  let count = 0
  stream.on('data', () => (count += 1))
  await finished(stream, { readable: true, writable: false })
  assert.equal(count, 4)
})

test('an event stream that is not read is broken off, and its model hears of it', async () => {
  const file = join(repository.path, 'http-flood-ended')
  const path = '/v2/models/flood/generate_stream'
  const request = httpRequest(`${server.url}${path}`, { method: 'POST' })
  request.end(JSON.stringify({ file, count: COUNT }))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const failed = once(response, 'error')
  assert.equal(response.statusCode, 200)
  await until('the model to be told', () => existsSync(file))
  await answersStill()
  response.resume()
  const [error]: unknown[] = await failed
  assert.ok(error instanceof Error)
  assert.equal(error.message, 'aborted')
})

test('an answer is sent though it alone is larger than what may be left unread', async () => {
  const { status, text } = await server.send('POST', '/v2/models/flood/generate', {
    file: join(repository.path, 'one-flood-ended'),
    count: 1,
  })
  assert.equal(status, 200)
  assert.ok(text.length > 2 ** 20)
})

test('a request of very many fields is refused, and one of groups within groups is none', async () => {
  const { path, requestSerialize, responseDeserialize } = ModelInfer
  const send = (bytes: Buffer): Promise<Error | null> =>
    new Promise((resolve) => {
      const encode = (): Buffer => bytes
      client.makeUnaryRequest(path, encode, responseDeserialize, {}, (error) => resolve(error))
    })
  const outputs = Array.from({ length: 100_001 }, (_, index) => ({ name: `y${index}` }))
  assert.equal(
    (await send(requestSerialize({ model_name: 'affine', outputs })))?.message,
    '3 INVALID_ARGUMENT: request has more than 100000 fields and dimensions beside the contents of tensors',
  )
  assert.equal(
    (await send(Buffer.alloc(2 ** 20, 0x7b)))?.message,
    '13 INTERNAL: Unable to parse request',
  )
  await answersStill()
})
