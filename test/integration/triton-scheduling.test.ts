import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { Answer, RunningTriton } from '../support/triton-server.ts'
import { until } from '../support/until.ts'

let repository: TestRepository
let server: RunningTriton

before(async () => {
  repository = new TestRepository({
    'affine/1/model.onnx': { fixture: 'affine.onnx' },
    'heavy/1/model.onnx': { fixture: 'heavy.onnx' },
  })
  server = await startTriton(repository.path, ['--model-control-mode=explicit'])
})

after(async () => {
  assert.equal(await server.stop(), 0)
  repository[Symbol.dispose]()
})

function loadAs(model: string, config: object): Promise<Answer> {
  const parameters = { config: JSON.stringify(config) }
  return server.send('POST', `/v2/repository/models/${model}/load`, { parameters })
}

function loadFile(model: string, fixture: string, config: object): Promise<Answer> {
  const bytes = readFileSync(join(import.meta.dirname, '../fixtures/models', fixture))
  const parameters = {
    config: JSON.stringify(config),
    'file:1/model.onnx': bytes.toString('base64'),
  }
  return server.send('POST', `/v2/repository/models/${model}/load`, { parameters })
}

type Rows = readonly (readonly number[])[]

const bodyOf = (rows: Rows, more: object): object => ({
  inputs: [{ name: 'x', datatype: 'FP32', shape: [rows.length, 3], data: rows }],
  ...more,
})

const ask = (model: string, rows: Rows, more: object = {}) =>
  server.send('POST', `/v2/models/${model}/infer`, bodyOf(rows, more))

/** {@link ask} by a client that leaves when the signal aborts. */
const askUntil = (signal: AbortSignal, model: string, rows: Rows, more: object) => {
  const body = JSON.stringify(bodyOf(rows, more))
  return fetch(`${server.url}/v2/models/${model}/infer`, { method: 'POST', body, signal })
}

const valuesOf = (answer: Answer): readonly number[] => {
  assert.equal(answer.status, 200, answer.text)
  const { outputs } = answer.json as { outputs: { data: number[] }[] }
  return outputs[0]?.data ?? []
}

test('requests that wait are one run, and each gets its own rows', async () => {
  const batching = { preferred_batch_size: [6], max_queue_delay_microseconds: 30_000_000 }
  const config = { backend: 'onnxruntime', max_batch_size: 8, instance_group: [{ count: 1 }] }
  const loaded = await loadAs('affine', { ...config, dynamic_batching: batching })
  assert.equal(loaded.status, 200, loaded.text)
  const [one, two, three] = await Promise.all([
    ask('affine', [[1, 2, 3]]),
    ask('affine', [
      [0, 0, 0],
      [1, 1, 1],
    ]),
    ask('affine', [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]),
  ])
  assert.deepEqual(valuesOf(one), [14.5, 31.5])
  assert.deepEqual(valuesOf(two), [0.5, -0.5, 6.5, 14.5])
  assert.deepEqual(valuesOf(three), [1.5, 3.5, 2.5, 4.5, 3.5, 5.5])
  const { json } = await server.send('GET', '/v2/models/affine/stats')
  const [stats] = (json as { model_stats: { execution_count: number; inference_count: number }[] })
    .model_stats
  assert.deepEqual([stats?.execution_count, stats?.inference_count], [1, 6])
})

test('a full queue and a timeout refuse in the words of Triton', async () => {
  const batching = {
    preferred_batch_size: [8],
    max_queue_delay_microseconds: 600_000_000,
    default_queue_policy: {
      max_queue_size: 2,
      default_timeout_microseconds: 600_000_000,
      allow_timeout_override: true,
    },
  }
  const config = { backend: 'onnxruntime', max_batch_size: 8, dynamic_batching: batching }
  assert.equal((await loadAs('affine', config)).status, 200)
  const pending = (count: number): Promise<true> =>
    until(`${count} that wait`, async () =>
      (await metrics()).includes(
        `nv_inference_pending_request_count{model="affine",version="1"} ${count}`,
      ),
    )
  const errorOf = ({ status, json }: Answer) => [status, (json as { error: string }).error]
  const late = await ask('affine', [[1, 2, 3]], { id: '1', parameters: { timeout: 1_000 } })
  assert.deepEqual(errorOf(late), [503, '[request id: 1] Request timeout expired'])
  await pending(0)
  // These wait for as long as their clients stay.
  const clients = new AbortController()
  const waiting = ['2', '3'].map((id) => askUntil(clients.signal, 'affine', [[1, 2, 3]], { id }))
  await pending(2)
  const third = await ask('affine', [[1, 2, 3]], { id: '4' })
  assert.deepEqual(errorOf(third), [503, '[request id: 4] Exceeds maximum queue size'])
  clients.abort()
  for (const left of waiting) await assert.rejects(left, { name: 'AbortError' })
  await pending(0)
  assert.match(
    await metrics(),
    /nv_inference_request_failure\{model="affine",version="1",reason="REJECTED"\} 2/,
  )
})

async function metrics(): Promise<string> {
  return (await fetch(server.metricsUrl)).text()
}

const PORT = { data_type: 'TYPE_FP32' }
const ENSEMBLE = {
  platform: 'ensemble',
  max_batch_size: 4,
  input: [{ ...PORT, name: 'x', dims: [3] }],
  output: [
    { ...PORT, name: 'left', dims: [2] },
    { ...PORT, name: 'right', dims: [3] },
  ],
  ensemble_scheduling: {
    step: [
      { model_name: 'same', model_version: -1, input_map: { x: 'x' }, output_map: { y: 'middle' } },
      {
        model_name: 'affine',
        model_version: -1,
        input_map: { x: 'middle' },
        output_map: { y: 'left' },
      },
      {
        model_name: 'same',
        model_version: -1,
        input_map: { x: 'middle' },
        output_map: { y: 'right' },
      },
    ],
  },
}

test('an ensemble runs its steps, those that are wanted, and says which step failed', async () => {
  assert.equal((await loadAs('affine', { backend: 'onnxruntime' })).status, 200)
  const same = {
    backend: 'onnxruntime',
    max_batch_size: 4,
    input: [{ ...PORT, name: 'x', dims: [3] }],
    output: [{ ...PORT, name: 'y', dims: [3] }],
  }
  const early = await loadFile('whole', 'affine.onnx', ENSEMBLE)
  assert.match(early.text, /ensemble 'whole' depends on 'same' which has no loaded version/)
  assert.equal((await loadFile('same', 'identity-float32.onnx', same)).status, 200)
  const loaded = await loadFile('whole', 'affine.onnx', ENSEMBLE)
  assert.equal(loaded.status, 200, loaded.text)

  const both = await ask('whole', [
    [1, 2, 3],
    [0, 0, 0],
  ])
  const { outputs } = both.json as { outputs: { name: string; data: number[] }[] }
  assert.deepEqual(
    outputs.map(({ name, data }) => [name, data]),
    [
      ['left', [14.5, 31.5, 0.5, -0.5]],
      ['right', [1, 2, 3, 0, 0, 0]],
    ],
  )
  const before = await executionsOf('affine')
  const right = await ask('whole', [[1, 2, 3]], { outputs: [{ name: 'right' }] })
  assert.deepEqual(valuesOf(right), [1, 2, 3])
  assert.equal(await executionsOf('affine'), before)

  const needed = await server.send('POST', '/v2/repository/models/same/unload', {})
  assert.deepEqual(needed.json, {
    error: "failed to unload 'same', versions that are still available: 1",
  })
  const wrong = structuredClone(ENSEMBLE)
  wrong.output[1] = { ...PORT, name: 'right', dims: [7] }
  const refused = await loadFile('wrong', 'affine.onnx', { ...wrong, max_batch_size: 9 })
  assert.match(refused.text, /allows maximum batch size 9, but it contains model/)
})

async function executionsOf(model: string): Promise<number | undefined> {
  const { json } = await server.send('GET', `/v2/models/${model}/stats`)
  return (json as { model_stats: { execution_count: number }[] }).model_stats[0]?.execution_count
}
