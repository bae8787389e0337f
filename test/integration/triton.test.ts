import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'

let repository: TestRepository
let server: RunningTriton

before(async () => {
  repository = new TestRepository({
    'affine/1/model.onnx': { fixture: 'affine.onnx' },
    'affine/3/model.onnx': { fixture: 'affine.onnx' },
    'affine/03/model.onnx': { fixture: 'opset99.onnx' },
    'affine/warmup/note.txt': { text: 'no version' },
    'words/1/model.onnx': { fixture: 'identity-string.onnx' },
    'halves/1/model.onnx': { fixture: 'identity-float16.onnx' },
  })
  server = await startTriton(repository.path)
})

after(async () => {
  assert.equal(await server.stop(), 0)
  repository[Symbol.dispose]()
})

const affine = (data: unknown, shape = [1, 3]): unknown => {
  return { inputs: [{ name: 'x', datatype: 'FP32', shape, data }] }
}

test('says what it is, what it serves, and that it is well', async () => {
  for (const path of ['/v2/health/live', '/v2/health/ready', '/v2/models/affine/ready']) {
    const { status, text } = await server.send('GET', path)
    assert.deepEqual([status, text], [200, ''], path)
  }
  const { json } = await server.send('GET', '/v2')
  assert.ok(typeof json === 'object' && json !== null && 'name' in json)
  assert.equal(json.name, 'triton')
  const metadata = await server.send('GET', '/v2/models/affine')
  assert.deepEqual(metadata.json, {
    name: 'affine',
    versions: ['3'],
    platform: 'onnxruntime_onnx',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
  })
})

test('infers with JSON, floats as Triton writes them', async () => {
  const request = {
    id: '42',
    ...(affine(
      [
        [1, 2, 3],
        [0, 0, 0],
      ],
      [2, 3],
    ) as object),
  }
  const { status, text } = await server.send('POST', '/v2/models/affine/infer', request)
  assert.equal(status, 200)
  assert.equal(
    text,
    '{"id":"42","model_name":"affine","model_version":"3","outputs":[{"name":"y","datatype":"FP32","shape":[2,2],"data":[14.5,31.5,0.5,-0.5]}]}',
  )
})

test('infers with bytes in and out', async () => {
  const header = JSON.stringify({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], parameters: { binary_data_size: 12 } }],
    outputs: [{ name: 'y', parameters: { binary_data: true } }],
  })
  const body = Buffer.concat([Buffer.from(header), Buffer.from(Float32Array.of(1, 2, 3).buffer)])
  const response = await fetch(`${server.url}/v2/models/affine/versions/3/infer`, {
    method: 'POST',
    headers: { 'inference-header-content-length': String(header.length) },
    body,
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const jsonBytes = Number(response.headers.get('inference-header-content-length'))
  assert.equal(response.headers.get('content-type'), 'application/octet-stream')
  assert.equal(bytes.length - jsonBytes, 8)
  assert.deepEqual([bytes.readFloatLE(jsonBytes), bytes.readFloatLE(jsonBytes + 4)], [14.5, 31.5])
})

test('texts that an ONNX model would get changed are refused', async () => {
  const words = (data: readonly string[]): unknown => {
    return { inputs: [{ name: 'x', datatype: 'BYTES', shape: [data.length, 1], data }] }
  }
  const good = await server.send('POST', '/v2/models/words/infer', words(['ä', '']))
  assert.equal(good.status, 200, good.text)
  assert.match(good.text, /"data":\["ä",""\]/)
  const bad = await server.send('POST', '/v2/models/words/infer', words(['a\0b']))
  assert.equal(bad.status, 400)
  assert.match(bad.text, /not UTF-8 text without NUL/)
})

const METADATA = /^Request for unknown model: '/
for (const { given, path, body, status, message } of [
  {
    given: 'an unknown model',
    path: 'no/infer',
    body: affine([1, 2, 3]),
    status: 404,
    message: "Request for unknown model: 'no' is not found",
  },
  {
    given: 'a version that is not served',
    path: 'affine/versions/1/infer',
    body: affine([1, 2, 3]),
    status: 404,
    message: "Request for unknown model: 'affine' version 1 is not found",
  },
  {
    given: 'no JSON',
    path: 'affine/infer',
    body: '{',
    status: 500,
    message: /^failed to parse the request JSON buffer: /,
  },
  {
    given: 'an unknown input',
    path: 'affine/infer',
    body: { inputs: [{ name: 'z', datatype: 'FP32', shape: [1, 3], data: [1, 2, 3] }] },
    status: 400,
    message: "[request id: <id_unknown>] unexpected inference input 'z' for model 'affine'",
  },
  {
    given: 'no input',
    path: 'affine/infer',
    body: { id: 'a', inputs: [] },
    status: 400,
    message:
      "[request id: a] expected 1 inputs but got 0 inputs for model 'affine'. Got input(s) [], but missing required input(s) ['x']. Please provide all required input(s).",
  },
  {
    given: 'another type',
    path: 'affine/infer',
    body: { inputs: [{ name: 'x', datatype: 'INT32', shape: [1, 3], data: [1, 2, 3] }] },
    status: 400,
    message:
      "[request id: <id_unknown>] inference input 'x' data-type is 'INT32', but model 'affine' expects 'FP32'",
  },
  {
    given: 'a batch that is too large',
    path: 'affine/infer',
    body: affine(Array(15).fill(0), [5, 3]),
    status: 400,
    message: "[request id: <id_unknown>] inference request batch-size must be <= 4 for 'affine'",
  },
  {
    given: 'another shape',
    path: 'affine/infer',
    body: affine([1, 2], [1, 2]),
    status: 400,
    message:
      /^\[request id: <id_unknown>\] unexpected shape for input 'x' for model 'affine'. Expected \[-1,3\], got \[1,2\]\. NOTE: /,
  },
  {
    given: 'too few elements',
    path: 'affine/infer',
    body: affine([1, 2]),
    status: 500,
    message: "Unable to parse 'data': Shape does not match true shape of 'data' field",
  },
  {
    given: 'an unknown output',
    path: 'affine/infer',
    body: { ...(affine([1, 2, 3]) as object), outputs: [{ name: 'z' }] },
    status: 400,
    message: "[request id: <id_unknown>] unexpected inference output 'z' for model 'affine'",
  },
  {
    given: 'FP16 as JSON',
    path: 'halves/infer',
    body: { inputs: [{ name: 'x', datatype: 'FP16', shape: [1, 1], data: [1] }] },
    status: 400,
    message:
      'receiving FP16 data via JSON is not supported. Please use the binary data format for input x',
  },
]) {
  test(`refuses in Triton's words, given ${given}`, async () => {
    const answer = await server.send('POST', `/v2/models/${path}`, body)
    const { error } = answer.json as { error: string }
    if (typeof message === 'string') assert.equal(error, message)
    else assert.match(error, message)
    assert.equal(answer.status, status)
  })
}

test('other routes and methods are refused, models that are not ready are 400', async () => {
  const unknown = await server.send('GET', '/v3')
  assert.deepEqual([unknown.status, unknown.text], [404, '{"error":"Not Found"}'])
  const wrong = await server.send('DELETE', '/v2/models/affine/infer')
  assert.deepEqual([wrong.status, wrong.text], [405, '{"error":"Method Not Allowed"}'])
  const notReady = await server.send('GET', '/v2/models/no/ready')
  assert.deepEqual([notReady.status, notReady.text], [400, '{"error":"Model version not ready"}'])
  const metadata = await server.send('GET', '/v2/models/no')
  assert.equal(metadata.status, 404)
  assert.match((metadata.json as { error: string }).error, METADATA)
})

test('models are not loaded by request unless the mode is explicit', async () => {
  const { status, json } = await server.send('POST', '/v2/repository/models/affine/load', {})
  assert.equal(status, 503)
  assert.deepEqual(json, {
    error: 'explicit model load / unload is not allowed if polling is enabled',
  })
})

test('counts what it did, in statistics and in metrics', async () => {
  const before = await statistics()
  await server.send('POST', '/v2/models/affine/infer', affine(Array(6).fill(1), [2, 3]))
  await server.send('POST', '/v2/models/affine/infer', affine([1], [1, 3]))
  await server.send('POST', '/v2/models/affine/infer', affine([1, 2], [1, 2]))
  const now = await statistics()
  assert.equal(now.inference_count - before.inference_count, 2)
  assert.equal(now.execution_count - before.execution_count, 1)
  assert.equal(now.inference_stats.fail.count - before.inference_stats.fail.count, 1)
  const { compute_input: input, compute_infer: infer, compute_output: output } = now.inference_stats
  assert.deepEqual([input.count, infer.count], [output.count, output.count])
  const metrics = await (await fetch(server.metricsUrl)).text()
  assert.match(metrics, /^nv_inference_count\{model="affine",version="3"\} \d+$/m)
  assert.match(
    metrics,
    /^nv_inference_request_failure\{model="words",version="1",reason="REJECTED"\} 0$/m,
  )
})

async function statistics() {
  const { json } = await server.send('GET', '/v2/models/affine/stats')
  const [first] = (json as { model_stats: ModelStats[] }).model_stats
  assert.ok(first)
  return first
}

interface ModelStats {
  readonly inference_count: number
  readonly execution_count: number
  readonly inference_stats: Readonly<Record<string, { count: number; ns: number }>> & {
    readonly fail: { readonly count: number }
    readonly compute_input: { readonly count: number }
    readonly compute_infer: { readonly count: number }
    readonly compute_output: { readonly count: number }
  }
}
