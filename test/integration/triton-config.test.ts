import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTriton, TestRepository } from '../support/triton-server.ts'
import type { RunningTriton } from '../support/triton-server.ts'

const AFFINE = { fixture: 'affine.onnx' }
const WARM = `
backend: "onnxruntime" max_batch_size: 8
model_warmup [
  { name: "zeros" batch_size: 3 inputs { key: "x" value: { data_type: TYPE_FP32 dims: 3 zero_data: true } } },
  { name: "random" batch_size: 1 count: 2 inputs { key: "x" value: { data_type: TYPE_FP32 dims: 3 random_data: true } } }
]`
const COLD = WARM.replace('zero_data: true', 'input_data_file: "absent"')
const LABELLED = `
max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: [ 3 ] }
output { name: "y" data_type: TYPE_FP32 dims: [ 2 ] label_filename: "labels.txt" }
instance_group { count: 1 }
metric_tags { key: "team" value: "a \\"b\\"" }`
const RESHAPED = `
max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: [ 1, 3 ] reshape { shape: [ 3 ] } }
output { name: "y" data_type: TYPE_FP32 dims: [ 2, 1 ] reshape { shape: [ 2 ] } }`

let repository: TestRepository
let server: RunningTriton

before(async () => {
  repository = new TestRepository({
    'warm/1/model.onnx': AFFINE,
    'warm/config.pbtxt': { text: WARM },
    'cold/1/model.onnx': AFFINE,
    'cold/config.pbtxt': { text: COLD },
    'labelled/1/model.onnx': AFFINE,
    'labelled/config.pbtxt': { text: LABELLED },
    'labelled/labels.txt': { text: 'cat\ndog\n' },
    'reshaped/1/model.onnx': AFFINE,
    'reshaped/config.pbtxt': { text: RESHAPED },
    'two/1/model.onnx': AFFINE,
    'two/2/model.onnx': AFFINE,
    'two/3/model.onnx': AFFINE,
    'two/config.pbtxt': { text: 'version_policy { specific { versions: [ 1, 3, 9 ] } }' },
    'plain/1/model.onnx': AFFINE,
    'plain/configs/small.pbtxt': { text: 'max_batch_size: 2' },
    'misspelt/1/model.onnx': AFFINE,
    'misspelt/config.pbtxt': { text: 'max_batch_size: 4\nmax_bach_size: 4' },
    'mismatched/1/model.onnx': AFFINE,
    'mismatched/config.pbtxt': {
      text: LABELLED.replace('[ 3 ]', '[ 4 ]').replace('label_filename: "labels.txt"', ''),
    },
    'sequence/1/model.onnx': AFFINE,
    'sequence/config.pbtxt': { text: 'sequence_batching { iterative_sequence: true }' },
  })
  server = await startTriton(repository.path, [
    '--model-control-mode=explicit',
    '--model-config-name=small',
    '--load-model=warm',
    '--load-model=labelled',
    '--load-model=reshaped',
    '--load-model=two',
    '--load-model=plain',
  ])
})

after(async () => {
  await server.stop()
  repository[Symbol.dispose]()
})

const ask = (model: string, shape: readonly number[], more: object = {}) =>
  server.send('POST', `/v2/models/${model}/infer`, {
    inputs: [{ name: 'x', datatype: 'FP32', shape, data: [1, 2, 3] }],
    ...more,
  })

test('the config is shown whole, with what the model says and what is so by default', async () => {
  const { json } = await server.send('GET', '/v2/models/plain/config')
  const config = json as Record<string, unknown>
  assert.equal(config['max_batch_size'], 2)
  assert.equal(config['platform'], 'onnxruntime_onnx')
  assert.equal(config['default_model_filename'], 'model.onnx')
  assert.deepEqual(config['version_policy'], { latest: { num_versions: 1 } })
  const [group] = config['instance_group'] as { count: number; kind: string }[]
  assert.deepEqual([group?.count, group?.kind], [2, 'KIND_CPU'])
  const [input] = config['input'] as { name: string; dims: number[] }[]
  assert.deepEqual([input?.name, input?.dims], ['x', [3]])
})

test('versions are those of the policy', async () => {
  const { json } = await server.send('GET', '/v2/models/two')
  assert.deepEqual((json as { versions: string[] }).versions, ['1', '3'])
  assert.equal((await ask('two/versions/1', [1, 3])).status, 200)
  assert.equal((await ask('two/versions/2', [1, 3])).status, 404)
})

test('warm-ups run before a model is ready, and count nowhere', async () => {
  const { json } = await server.send('GET', '/v2/models/warm/stats')
  const [stats] = (json as { model_stats: { execution_count: number }[] }).model_stats
  assert.equal(stats?.execution_count, 0)
  assert.equal((await ask('warm', [1, 3])).status, 200)
})

test('classes come with their names, and tags with the metrics', async () => {
  const outputs = [{ name: 'y', parameters: { classification: 2 } }]
  const { json } = await ask('labelled', [1, 3], { outputs })
  const [output] = (json as { outputs: object[] }).outputs
  assert.deepEqual(output, {
    name: 'y',
    datatype: 'BYTES',
    shape: [1, 2],
    data: ['31.500000:1:dog', '14.500000:0:cat'],
  })
  const metrics = await (await fetch(server.metricsUrl)).text()
  assert.ok(
    metrics.includes('nv_inference_count{model="labelled",version="1",_team="a \\"b\\""} 1'),
  )
})

test('callers see the shapes of the config where the model has others', async () => {
  const { json, text } = await ask('reshaped', [1, 1, 3])
  assert.deepEqual((json as { outputs: { shape: number[] }[] }).outputs[0]?.shape, [1, 2, 1], text)
  const refused = await ask('reshaped', [1, 3])
  assert.match(refused.text, /Expected \[-1,1,3\], got \[1,3\]/)
})

for (const { model, words } of [
  {
    model: 'misspelt',
    words:
      /failed to load 'misspelt', failed to poll from model repository: failed to read text proto from .*config\.pbtxt: .*max_bach_size.*line 2/,
  },
  {
    model: 'mismatched',
    words:
      /model 'mismatched', tensor 'x': the model expects 2 dimensions \(shape \[-1,3\]\) but the model configuration specifies 2 dimensions .* complete shape \[-1,4\]\)/,
  },
  {
    model: 'cold',
    words: /unable to provide sufficient data for warmup input 'x' of sample 'zeros'/,
  },
  {
    model: 'sequence',
    words: /model 'sequence' asks for iterative_sequence, which this server does not offer/,
  },
]) {
  test(`says why ${model} cannot be loaded`, async () => {
    const { status, text } = await server.send('POST', `/v2/repository/models/${model}/load`)
    assert.notEqual(status, 200)
    assert.match((JSON.parse(text) as { error: string }).error, words)
  })
}
