import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

import { lineUp } from '../support/heavy-requests.ts'
import type { HeavyRequests } from '../support/heavy-requests.ts'
import { InferenceClient } from '../support/inference-client.ts'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

let repository: TestRepository
let server: RunningTriton
let client: InferenceClient

before(async () => {
  repository = new TestRepository({
    'heavy/1/model.onnx': { fixture: 'heavy.onnx' },
    'wide/1/model.onnx': { fixture: 'identity-float32.onnx' },
    'few/1/model.onnx': { fixture: 'affine.onnx' },
    'many/1/model.onnx': { fixture: 'affine.onnx' },
  })
  server = await startTriton(repository.path, ['--model-control-mode=explicit'])
  client = new InferenceClient(server.grpcPort)
})

after(async () => {
  client[Symbol.dispose]()
  assert.equal(await server.stop(), 0)
  repository[Symbol.dispose]()
})

async function load(model: string, config: object): Promise<void> {
  const parameters = { config: JSON.stringify({ backend: 'onnxruntime', ...config }) }
  const path = `/v2/repository/models/${model}/load`
  const { status, text } = await server.send('POST', path, { parameters })
  assert.equal(status, 200, text)
}

const inOrder = (arrange: (heavy: HeavyRequests) => Promise<boolean>): Promise<readonly string[]> =>
  until('requests to line up', () => lineUp(server, client, arrange))

const ONE = { max_batch_size: 1, instance_group: [{ kind: 'KIND_CPU', count: 1 }] }

test('what has a higher priority goes first, though it came last', async () => {
  const batching = { priority_levels: 3, default_priority_level: 2 }
  await load('heavy', { ...ONE, dynamic_batching: batching })
  const [first, ...others] = await inOrder(async (heavy) => {
    heavy.send('runs', { rounds: 2000 })
    heavy.send('default', { rounds: 2000 })
    // One of both runs.
    if (!(await heavy.areWaiting(1))) return false
    heavy.send('low', { rounds: 100, parameters: { priority: { int64_param: 3 } } })
    if (!(await heavy.areWaiting(2))) return false
    heavy.send('high', { rounds: 100, parameters: { priority: { int64_param: 1 } } })
    return await heavy.areWaiting(3)
  })
  assert.ok(first === 'runs' || first === 'default')
  assert.deepEqual(others, ['high', first === 'runs' ? 'default' : 'runs', 'low'])
})

test('what waited too long goes after all others of its level, where the policy says DELAY', async () => {
  const policy = {
    timeout_action: 'DELAY',
    default_timeout_microseconds: 600_000_000,
    allow_timeout_override: true,
  }
  await load('heavy', { ...ONE, dynamic_batching: { default_queue_policy: policy } })
  const answered = await inOrder(async (heavy) => {
    heavy.send('runs', { rounds: 2000 })
    heavy.send('runs', { rounds: 2000 })
    if (!(await heavy.areWaiting(1))) return false
    heavy.send('impatient', { rounds: 100, parameters: { timeout: { int64_param: 1 } } })
    if (!(await heavy.areWaiting(2))) return false
    heavy.send('patient', { rounds: 100 })
    return await heavy.areWaiting(3)
  })
  assert.deepEqual(answered, ['runs', 'runs', 'patient', 'impatient'])
})

for (const [isOrderKept, expected] of [
  [true, ['long', 'long', 'long', 'short']],
  [false, ['long', 'long', 'short', 'long']],
] as const) {
  test(`answers ${isOrderKept ? 'keep' : 'do not keep'} the order of requests`, async () => {
    const group = [{ kind: 'KIND_CPU', count: 2 }]
    const batching = { preserve_ordering: isOrderKept }
    await load('heavy', { ...ONE, instance_group: group, dynamic_batching: batching })
    const answered = await inOrder(async (heavy) => {
      for (let index = 0; index < 3; index += 1) heavy.send('long', { rounds: 2000 })
      // Two of them run; what comes now is behind the third, beside which it runs.
      if (!(await heavy.areWaiting(1))) return false
      heavy.send('short', { rounds: 1 })
      return true
    })
    assert.deepEqual(answered, expected)
  })
}

test('under load each request gets its own rows, whatever its shape and number of rows', async () => {
  const batching = { max_queue_delay_microseconds: 500 }
  const group = [{ kind: 'KIND_CPU', count: 2 }]
  await load('wide', { max_batch_size: 16, instance_group: group, dynamic_batching: batching })
  const CLIENT_COUNT = 48
  const REQUEST_COUNT = 20
  let answeredCount = 0
  const runClient = async (client: number): Promise<void> => {
    for (let index = 0; index < REQUEST_COUNT; index += 1) {
      const serial = client * REQUEST_COUNT + index
      const shape = [1 + (serial % 3), 1 + (serial % 2)]
      const count = (shape[0] ?? 1) * (shape[1] ?? 1)
      const data = Array.from({ length: count }, (_none, element) => serial * 10 + element)
      const inputs = [{ name: 'x', datatype: 'FP32', shape, data }]
      const body = { id: String(serial), inputs }
      const { status, json, text } = await server.send('POST', '/v2/models/wide/infer', body)
      assert.equal(status, 200, text)
      const { id, outputs } = json as { id: string; outputs: { shape: number[]; data: number[] }[] }
      assert.deepEqual([id, outputs[0]?.shape, outputs[0]?.data], [String(serial), shape, data])
      answeredCount += 1
    }
  }
  await Promise.all(Array.from({ length: CLIENT_COUNT }, (_none, client) => runClient(client)))
  assert.equal(answeredCount, CLIENT_COUNT * REQUEST_COUNT)
  const { json } = await server.send('GET', '/v2/models/wide/stats')
  const [stats] = (json as { model_stats: { execution_count: number }[] }).model_stats
  assert.ok((stats?.execution_count ?? Infinity) < answeredCount, 'requests share batches')
})

test('threads of ONNX Runtime are as many as the config says', async () => {
  const launcher = server.process.pid ?? 0
  const [served = ''] = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').split(
    ' ',
  )
  const threadCount = (): number => readdirSync(`/proc/${served || launcher}/task`).length
  const loadWith = (model: string, count: number): Promise<void> =>
    load(model, {
      ...ONE,
      parameters: { intra_op_thread_count: { string_value: String(count) } },
    })
  await loadWith('few', 1)
  const before = threadCount()
  await loadWith('many', 33)
  assert.ok(threadCount() >= before + 32, `${before}, then ${threadCount()}`)
})
