import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ensureTritonClient, runTritonClient } from '../support/triton-client.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'

const Y = [
  [8.5, 16.5],
  [26.5, 61.5],
]

test('tritonclient infers over HTTP and gRPC, at once and later, alone and in streams', async () => {
  using repository = new TestRepository({
    'affine/1/model.onnx': { fixture: 'affine.onnx' },
    'words/1/model.onnx': { fixture: 'identity-string.onnx' },
    'halves/1/model.onnx': { fixture: 'identity-float16.onnx' },
    'wide/1/model.onnx': { fixture: 'identity-float32.onnx' },
  })
  const python = await ensureTritonClient()
  const server = await startTriton(repository.path)
  try {
    const addresses = [`127.0.0.1:${server.httpPort}`, `127.0.0.1:${server.grpcPort}`]
    assert.deepEqual(await runTritonClient(python, 'clients.py', addresses), {
      'http live': [true, true, true],
      'http unready': false,
      'http metadata': [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
      'http config': 4,
      'http binary': Y,
      'http json': Y,
      'http gzip': Y,
      'http deflate': Y,
      'http words': ['ä', '', 'three'],
      'http halves': [[0.5], [2]],
      'http async': true,
      'http error': ['404', "Request for unknown model: 'nope' is not found"],
      'grpc live': [true, true, true],
      'grpc unready': false,
      'grpc metadata': [{ name: 'x', datatype: 'FP32', shape: ['-1', '3'] }],
      'grpc config': 4,
      grpc: ['7', Y],
      'grpc words': ['ä', '', 'three'],
      'grpc large': true,
      'grpc statistics': true,
      'grpc log': true,
      'grpc index': ['affine', 'halves', 'wide', 'words'],
      'grpc error': ['StatusCode.NOT_FOUND', "Request for unknown model: 'nope' is not found"],
      'grpc stream': ['0', '1', "Request for unknown model: 'nope' is not found", '3', '4'],
      'http aio': true,
      'grpc aio': true,
    })
  } finally {
    await server.stop()
  }
})
