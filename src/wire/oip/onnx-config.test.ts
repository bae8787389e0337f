import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseModelConfigJson, parseModelConfigText } from './model-config-codec.ts'
import { finishModelConfig, prepareModelConfig } from './model-config-prepare.ts'
import { completeOnnxConfig, type Graph } from './onnx-config.ts'

const BATCHING: Graph = {
  inputs: [
    { name: 'x', datatype: 'FP32', dims: [-1, 3, -1] },
    { name: 's', datatype: 'BYTES', dims: [-1] },
  ],
  outputs: [{ name: 'y', datatype: 'INT64', dims: [-1, 10] }],
}
const FIXED: Graph = {
  inputs: [{ name: 'x', datatype: 'FP32', dims: [1, 3] }],
  outputs: [{ name: 'y', datatype: 'FP32', dims: [] }],
}
const DEFAULTS = { maxBatchSizeDefault: 4 }

function prepared(text: string) {
  const config = parseModelConfigText(text)
  return prepareModelConfig(config, { directory: 'm', detectedBackend: 'onnxruntime' })
}

test('a model with a batch dimension gets batches of 4, and two instances', () => {
  const config = finishModelConfig(completeOnnxConfig(prepared(''), BATCHING, DEFAULTS))
  assert.equal(config.max_batch_size, 4)
  assert.equal(config.platform, 'onnxruntime_onnx')
  assert.deepEqual(config.dynamic_batching?.preferred_batch_size, [4])
  assert.deepEqual(
    config.input.map(({ name, data_type, dims, reshape }) => ({ name, data_type, dims, reshape })),
    [
      { name: 'x', data_type: 'TYPE_FP32', dims: [3, -1], reshape: undefined },
      { name: 's', data_type: 'TYPE_STRING', dims: [1], reshape: { shape: [] } },
    ],
  )
  assert.deepEqual(
    config.instance_group.map(({ name, kind, count }) => ({ name, kind, count })),
    [{ name: 'm', kind: 'KIND_CPU', count: 2 }],
  )
  assert.equal(config.default_model_filename, 'model.onnx')
})

test('a size of 0 that is written counts as none', () => {
  assert.equal(
    completeOnnxConfig(prepared('max_batch_size: 0'), BATCHING, DEFAULTS).max_batch_size,
    4,
  )
})

test('a size that is written stays, and adds no dynamic batching', () => {
  const config = completeOnnxConfig(prepared('max_batch_size: 8'), BATCHING, DEFAULTS)
  assert.equal(config.max_batch_size, 8)
  assert.equal(config.dynamic_batching, undefined)
})

test('a default of 1 batches without a scheduler', () => {
  const config = completeOnnxConfig(prepared(''), BATCHING, { maxBatchSizeDefault: 1 })
  assert.equal(config.max_batch_size, 1)
  assert.equal(config.dynamic_batching, undefined)
})

test('a model without a batch dimension keeps its shapes', () => {
  const config = completeOnnxConfig(prepared(''), FIXED, DEFAULTS)
  assert.equal(config.max_batch_size, 0)
  assert.deepEqual(config.input[0]?.dims, [1, 3])
  assert.deepEqual(config.output[0]?.reshape, { shape: [] })
  assert.throws(() => completeOnnxConfig(prepared('max_batch_size: 2'), FIXED, DEFAULTS), {
    message:
      "autofill failed for model 'm': model does not support batching while non-zero max_batch_size is specified",
  })
})

const INPUT = 'input { name: "x" data_type: TYPE_FP32 dims: [ 1, 3 ] }'
const OUTPUT = 'output { name: "y" data_type: TYPE_FP32 dims: [ 1 ] reshape { } }'

test('inputs and outputs that are written are all there is', () => {
  const config = prepared(`${INPUT} ${OUTPUT}`)
  assert.equal(completeOnnxConfig(config, BATCHING, DEFAULTS), config)
})

test('a load may carry a configuration in either spelling of JSON', () => {
  const config = parseModelConfigJson('{"maxBatchSize":2,"input":[{"name":"x","dims":["3",-1]}]}')
  assert.equal(config.max_batch_size, 2)
  assert.deepEqual(config.input[0]?.dims, [3, -1])
  assert.throws(() => parseModelConfigJson('{"nope":1}'), { code: 'INVALID_ARG', message: /nope/ })
  assert.throws(() => parseModelConfigJson('{'), { code: 'INVALID_ARG' })
})

test('an error in a text names its line, whichever it is', () => {
  const wrong = 'name: "m"\nmax_batch_size: one\nbackend: "b"\n'
  assert.throws(() => parseModelConfigText(wrong), { message: 'integer value expected (line 2)' })
  assert.throws(() => parseModelConfigText('a'), { message: /\(line 1\)$/ })
})
