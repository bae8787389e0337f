import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { credentials, makeClientConstructor } from '@grpc/grpc-js'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadProtocol } from '../../src/modelserver/triton/grpc/load-protocol.ts'
import { ensureTritonClient, runTritonClient } from '../support/triton-client.ts'
import { spawnTriton, startTriton, TestRepository } from '../support/triton-server.ts'

const Y = [
  [8.5, 16.5],
  [26.5, 61.5],
]
const models = (): TestRepository =>
  new TestRepository({ 'affine/1/model.onnx': { fixture: 'affine.onnx' } })

test('tritonclient shares memory, traces and logs', async () => {
  using repository = models()
  const python = await ensureTritonClient()
  const file = join(repository.path, 'trace.json')
  const server = await startTriton(repository.path, [
    '--allow-client-shm=true',
    '--trace-config=rate=1',
    `--trace-config=triton,file=${file}`,
  ])
  try {
    const addresses = [`127.0.0.1:${server.httpPort}`, `127.0.0.1:${server.grpcPort}`]
    const small =
      "shared memory size specified with the request for output 'y' (8 bytes) should be at least 16 bytes to hold the results"
    assert.deepEqual(await runTritonClient(python, 'extensions.py', addresses), {
      'http status': 'True',
      'http output': Y,
      'http too small': small,
      'http gone': "Unable to find shared memory region: 'http'",
      'grpc status': 'True',
      'grpc output': Y,
      'grpc too small': small,
      'grpc gone': "Unable to find shared memory region: 'grpc'",
      stream: Y,
      'http trace': ['2', ['TIMESTAMPS']],
      'grpc trace': [['1'], ['TIMESTAMPS']],
      'http log': 1,
      'grpc log': { string_param: 'ISO8601' },
      'grpc log file': [
        'StatusCode.UNIMPLEMENTED',
        'log file location can not be updated through network protocol',
      ],
    })
    const body = { inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }] }
    assert.equal((await server.send('POST', '/v2/models/affine/infer', body)).status, 200)
  } finally {
    assert.equal(await server.stop(), 0)
  }
  const text = readFileSync(file, 'utf8')
  for (const name of ['HTTP_RECV_START', 'COMPUTE_START', 'REQUEST_END', 'HTTP_SEND_END']) {
    assert.ok(text.includes(name), name)
  }
})

test('memory is not shared unless the server is told to', async () => {
  using repository = models()
  const server = await startTriton(repository.path)
  try {
    const { status, text } = await server.send('GET', '/v2/systemsharedmemory/status')
    assert.equal(status, 501)
    assert.match(text, /Client shared memory is disabled/)
  } finally {
    await server.stop()
  }
})

test('a trace without a file keeps the server from starting', async () => {
  const child = spawnTriton(['--model-repository', '/tmp', '--trace-config=level=TIMESTAMPS'])
  let complaint = ''
  child.stderr?.on('data', (bytes: Buffer) => (complaint += bytes.toString()))
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.equal(code, 1)
  assert.match(complaint, /trace file name is not given/)
})

function clientOf(service: ServiceDefinition, port: number) {
  const Client = makeClientConstructor(service, 'test')
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure())
}

/** The messages of a stream of answers, until there are so many. */
async function readSome(stream: AsyncIterable<unknown>, count: number): Promise<unknown[]> {
  const messages: unknown[] = []
  for await (const message of stream) {
    messages.push(message)
    if (messages.length === count) return messages
  }
  return messages
}

test('gRPC describes itself, and tells of an end to those who watch', async () => {
  using repository = models()
  const server = await startTriton(repository.path)
  const reflection = loadProtocol('reflection.proto', 'grpc.reflection.v1.ServerReflection')
  const health = loadProtocol('health.proto', 'grpc.health.v1.Health')
  const method = reflection.service['ServerReflectionInfo']
  const watch = health.service['Watch']
  assert.ok(method && watch)
  for (const version of ['v1', 'v1alpha']) {
    const client = clientOf(reflection.service, server.grpcPort)
    const call = client.makeBidiStreamRequest(
      method.path.replace('v1', version),
      method.requestSerialize,
      method.responseDeserialize,
    )
    call.write({ list_services: '' })
    call.write({ file_containing_symbol: 'inference.GRPCInferenceService.ModelInfer' })
    call.write({ file_containing_symbol: 'no.such.Thing' })
    call.end()
    const [services, file, nothing] = (await readSome(call, 3)) as Record<string, never>[]
    assert.match(JSON.stringify(services), /inference\.GRPCInferenceService.*grpc\.health\.v1/)
    assert.match(JSON.stringify(file), /file_descriptor_proto/)
    assert.match(JSON.stringify(nothing), /"error_code":5/)
    client.close()
  }
  const watcher = clientOf(health.service, server.grpcPort)
  const seen = readSome(
    watcher.makeServerStreamRequest(
      watch.path,
      watch.requestSerialize,
      watch.responseDeserialize,
      {},
    ),
    2,
  )
  assert.equal((await server.send('GET', '/v2/health/ready')).status, 200)
  // The watcher must be there before the end is near.
  const check = health.service['Check']
  assert.ok(check)
  await new Promise((resolve) =>
    watcher.makeUnaryRequest(
      check.path,
      check.requestSerialize,
      check.responseDeserialize,
      {},
      resolve,
    ),
  )
  assert.equal(await server.stop(), 0)
  assert.deepEqual(await seen, [{ status: 'SERVING' }, { status: 'NOT_SERVING' }])
  watcher.close()
})
