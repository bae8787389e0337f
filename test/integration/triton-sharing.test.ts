import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineUp } from '../support/heavy-requests.ts'
import { InferenceClient } from '../support/inference-client.ts'
import { encodeOnnx } from '../support/onnx.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { Answer, RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

const ask = (server: RunningTriton, model: string, rows: readonly number[], more: object = {}) =>
  server.send('POST', `/v2/models/${model}/infer`, {
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], data: rows }],
    ...more,
  })

function valuesOf({ status, text, json }: Answer): readonly number[] {
  assert.equal(status, 200, text)
  return (json as { outputs: { data: number[] }[] }).outputs[0]?.data ?? []
}

interface Statistics {
  readonly execution_count: number
  readonly inference_count: number
  readonly inference_stats: Readonly<Record<string, { readonly count: number }>>
}

async function statisticsOf(server: RunningTriton, model: string): Promise<Statistics> {
  const { json } = await server.send('GET', `/v2/models/${model}/stats`)
  const [stats] = (json as { model_stats: Statistics[] }).model_stats
  assert.ok(stats)
  return stats
}

const CACHED = 'backend: "onnxruntime" max_batch_size: 4 response_cache { enable: true }'

test('equal requests are answered from the cache, others and those after a reload are not', async () => {
  using repository = new TestRepository({
    'cached/1/model.onnx': { fixture: 'affine.onnx' },
    'cached/config.pbtxt': { text: CACHED },
  })
  const flags = ['--model-control-mode=explicit', '--load-model=cached']
  const server = await startTriton(repository.path, [...flags, '--cache-config=local,size=1048576'])
  try {
    const counts = async (): Promise<readonly unknown[]> => {
      const stats = await statisticsOf(server, 'cached')
      const { success, cache_hit: hit, cache_miss: miss } = stats.inference_stats
      return [success?.count, hit?.count, miss?.count, stats.inference_count, stats.execution_count]
    }
    for (let turn = 0; turn < 3; turn += 1) {
      assert.deepEqual(valuesOf(await ask(server, 'cached', [1, 2, 3])), [14.5, 31.5])
    }
    assert.deepEqual(await counts(), [3, 2, 1, 1, 1])
    assert.deepEqual(valuesOf(await ask(server, 'cached', [0, 0, 0])), [0.5, -0.5])
    await ask(server, 'cached', [0, 0, 0], { parameters: { custom: 1 } })
    assert.deepEqual(await counts(), [5, 2, 3, 3, 3])
    const metrics = await (await fetch(server.metricsUrl)).text()
    assert.match(metrics, /nv_cache_num_hits_per_model\{model="cached",version="1"\} 2/)
    assert.match(metrics, /nv_cache_num_misses_per_model\{model="cached",version="1"\} 3/)
    repository.write({
      'cached/1/model.onnx': { fixture: 'identity-float32.onnx' },
      'cached/config.pbtxt': { text: `${CACHED}\n# another model` },
    })
    assert.equal((await server.send('POST', '/v2/repository/models/cached/load')).status, 200)
    assert.deepEqual(valuesOf(await ask(server, 'cached', [1, 2, 3])), [1, 2, 3])
  } finally {
    assert.equal(await server.stop(), 0)
  }
})

test('an ensemble and its steps are answered from the cache, and what does not fit is not kept', async () => {
  const port = (name: string, size: number) =>
    `{ name: "${name}" data_type: TYPE_FP32 dims: [ ${size} ] }`
  const step =
    'ensemble_scheduling { step [ { model_name: "cached" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "y" } } ] }'
  using repository = new TestRepository({
    'cached/1/model.onnx': { fixture: 'affine.onnx' },
    'cached/config.pbtxt': { text: CACHED },
    'whole/1/nothing': { text: '' },
    'whole/config.pbtxt': {
      text: `platform: "ensemble" max_batch_size: 4 input [ ${port('x', 3)} ] output [ ${port('y', 2)} ] ${step} response_cache { enable: true }`,
    },
    'large/1/model.onnx': { fixture: 'identity-float32.onnx' },
    'large/config.pbtxt': { text: CACHED },
  })
  const server = await startTriton(repository.path, ['--response-cache-byte-size=2048'])
  try {
    assert.deepEqual(valuesOf(await ask(server, 'cached', [1, 2, 3])), [14.5, 31.5])
    assert.deepEqual(valuesOf(await ask(server, 'whole', [1, 2, 3])), [14.5, 31.5])
    assert.deepEqual(valuesOf(await ask(server, 'whole', [1, 2, 3])), [14.5, 31.5])
    assert.equal((await statisticsOf(server, 'cached')).execution_count, 1)
    const hits = (await statisticsOf(server, 'whole')).inference_stats['cache_hit']
    assert.equal(hits?.count, 1)
    const data = Array.from({ length: 4096 }, (_none, index) => index)
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, data.length], data }]
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await server.send('POST', '/v2/models/large/infer', { inputs })
      assert.equal(valuesOf(answer).length, data.length)
    }
    assert.equal((await statisticsOf(server, 'large')).execution_count, 2)
  } finally {
    assert.equal(await server.stop(), 0)
  }
})

test('without a cache a config that asks for one runs every request', async () => {
  using repository = new TestRepository({
    'cached/1/model.onnx': { fixture: 'affine.onnx' },
    'cached/config.pbtxt': { text: CACHED },
  })
  const server = await startTriton(repository.path)
  try {
    for (let turn = 0; turn < 2; turn += 1) await ask(server, 'cached', [1, 2, 3])
    assert.equal((await statisticsOf(server, 'cached')).execution_count, 2)
    assert.doesNotMatch(await (await fetch(server.metricsUrl)).text(), /nv_cache/)
  } finally {
    assert.equal(await server.stop(), 0)
  }
})

const limited = (count: number, priority: number): string =>
  `backend: "onnxruntime" max_batch_size: 1 instance_group { kind: KIND_CPU count: 1 rate_limiter { resources [ { name: "r" count: ${count} } ] priority: ${priority} } }`

test('instances that share a resource run one at a time, each as often as its priority says', async () => {
  using repository = new TestRepository({
    'often/1/model.onnx': { fixture: 'heavy.onnx' },
    'often/config.pbtxt': { text: limited(2, 1) },
    'seldom/1/model.onnx': { fixture: 'heavy.onnx' },
    'seldom/config.pbtxt': { text: limited(1, 3) },
    'free/1/model.onnx': { fixture: 'affine.onnx' },
  })
  const flags = ['--rate-limit=execution_count', '--rate-limit-resource=r:2']
  // A server that has run nothing yet, each time.
  const answered = await until('requests to line up', async () => {
    const server = await startTriton(repository.path, flags)
    try {
      using client = new InferenceClient(server.grpcPort)
      return await lineUp(server, client, async (requests) => {
        const send = (model: string, rounds: number, count: number): void => {
          for (let sent = 0; sent < count; sent += 1) requests.send(model, { model, rounds })
        }
        // One of them runs, and holds the resource while the others line up.
        send('often', 1000, 2)
        if (!(await requests.areWaiting(1, 'often'))) return false
        send('often', 30, 5)
        send('seldom', 30, 3)
        if (!(await requests.areWaiting(6, 'often'))) return false
        if (!(await requests.areWaiting(3, 'seldom'))) return false
        // What needs no resource is not held up.
        assert.deepEqual(valuesOf(await ask(server, 'free', [1, 2, 3])), [14.5, 31.5])
        return true
      })
    } finally {
      assert.equal(await server.stop(), 0)
    }
  })
  // Runs times priority, often and seldom: 1, 0 → seldom; 1, 3 → often; 2, 3 → often.
  assert.deepEqual(answered.slice(0, 4), ['often', 'seldom', 'often', 'often'])
  assert.deepEqual(answered.toSorted(), [
    ...Array.from({ length: 7 }, () => 'often'),
    ...Array.from({ length: 3 }, () => 'seldom'),
  ])
})

test('an instance that needs more than there is cannot be loaded', async () => {
  using repository = new TestRepository({
    'often/1/model.onnx': { fixture: 'heavy.onnx' },
    'often/config.pbtxt': { text: limited(2, 1) },
  })
  const limits = ['--rate-limit=execution_count', '--rate-limit-resource=r:1']
  const server = await startTriton(repository.path, ['--model-control-mode=explicit', ...limits])
  try {
    const { status, text } = await server.send('POST', '/v2/repository/models/often/load')
    assert.equal(status, 400)
    assert.match(
      (JSON.parse(text) as { error: string }).error,
      /Resource count for "r" is limited to 1 which will prevent scheduling of one or more model instances, the minimum required count is 2/,
    )
  } finally {
    assert.equal(await server.stop(), 0)
  }
})

const ROW = ['E']

/** Doubles what it gets, and tells how its batch was described. */
function encodeRagged(): Buffer {
  return encodeOnnx({
    nodes: [
      { operator: 'Add', inputs: ['x', 'x'], outputs: ['y'] },
      { operator: 'Identity', inputs: ['ends'], outputs: ['told'] },
      { operator: 'Shape', inputs: ['widest'], outputs: ['shape'] },
      { operator: 'Cast', inputs: ['shape'], outputs: ['size'], attributes: { to: 1 } },
      { operator: 'Expand', inputs: ['size', 'counted'], outputs: ['width'] },
      { operator: 'Shape', inputs: ['ends'], outputs: ['counted'] },
    ].toSorted((a) => (a.outputs.includes('counted') ? -1 : 1)),
    weights: {},
    inputs: { x: ROW, ends: ['R'], widest: ['W'] },
    outputs: { y: ROW, told: ['R'], width: ['R'] },
  })
}

test('requests of different sizes share a batch, and each gets its own elements', async () => {
  const config = `backend: "onnxruntime" max_batch_size: 3
    input [ { name: "x" data_type: TYPE_FP32 dims: [ -1 ] allow_ragged_batch: true } ]
    output [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] },
             { name: "told" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } },
             { name: "width" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } } ]
    batch_input [ { kind: BATCH_ACCUMULATED_ELEMENT_COUNT target_name: "ends" data_type: TYPE_FP32 source_input: "x" },
                  { kind: BATCH_MAX_ELEMENT_COUNT_AS_SHAPE target_name: "widest" data_type: TYPE_FP32 source_input: "x" } ]
    batch_output [ { kind: BATCH_SCATTER_WITH_INPUT_SHAPE target_name: "y" source_input: "x" } ]
    instance_group { count: 1 kind: KIND_CPU }
    dynamic_batching { preferred_batch_size: [ 3 ] max_queue_delay_microseconds: 60000000 }`
  using repository = new TestRepository({
    'ragged/1/model.onnx': { bytes: encodeRagged() },
    'ragged/config.pbtxt': { text: config },
  })
  const server = await startTriton(repository.path)
  try {
    const send = async (row: readonly number[]): Promise<Record<string, unknown>> => {
      const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, row.length], data: row }]
      const answer = await server.send('POST', '/v2/models/ragged/infer', { inputs })
      assert.equal(answer.status, 200, answer.text)
      const { outputs } = answer.json as {
        outputs: { name: string; shape: number[]; data: number[] }[]
      }
      return Object.fromEntries(outputs.map(({ name, shape, data }) => [name, { shape, data }]))
    }
    const rows = [[1], [1, 2, 3], [5, 6]]
    const answers = await Promise.all(rows.map(send))
    let ends: number[] = []
    for (const [index, row] of rows.entries()) {
      const { y, width, told } = answers[index] ?? {}
      assert.deepEqual(y, { shape: [1, row.length], data: row.map((value) => 2 * value) })
      assert.deepEqual(width, { shape: [1, 1], data: [3] })
      ends = [...ends, ...(told as { data: number[] }).data]
    }
    // In whatever order they came: sizes 1, 3, 2 end somewhere, and all of them at 6.
    assert.equal(Math.max(...ends), 6)
    assert.equal(new Set(ends).size, 3)
    assert.equal((await statisticsOf(server, 'ragged')).execution_count, 1)
  } finally {
    assert.equal(await server.stop(), 0)
  }
})
