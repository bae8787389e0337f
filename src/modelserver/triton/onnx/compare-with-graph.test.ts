import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseModelConfigText } from '../../../wire/oip/model-config-codec.ts'
import { prepareModelConfig } from '../../../wire/oip/model-config-prepare.ts'
import type { Graph } from '../../../wire/oip/onnx-config.ts'
import { compareWithGraph } from './compare-with-graph.ts'

const FIXED: Graph = {
  inputs: [{ name: 'x', datatype: 'FP32', dims: [1, 3] }],
  outputs: [{ name: 'y', datatype: 'FP32', dims: [] }],
}
const INPUT = 'input { name: "x" data_type: TYPE_FP32 dims: [ 1, 3 ] }'
const OUTPUT = 'output { name: "y" data_type: TYPE_FP32 dims: [ 1 ] reshape { } }'

function prepared(text: string) {
  const config = parseModelConfigText(text)
  return prepareModelConfig(config, { directory: 'm', detectedBackend: 'onnxruntime' })
}

test('a configuration that is not the model is refused', () => {
  const refusal = (text: string): unknown => {
    try {
      return compareWithGraph(prepared(text), FIXED)
    } catch (error) {
      return error instanceof Error ? error.message : error
    }
  }
  assert.equal(refusal(`${INPUT} ${OUTPUT}`), undefined)
  assert.equal(
    refusal(OUTPUT),
    "unable to load model 'm', configuration expects 0 inputs, model provides 1",
  )
  assert.equal(
    refusal(`${INPUT.replace('"x"', '"z"')} ${OUTPUT}`),
    "unexpected inference input 'z', allowed inputs are: x",
  )
  assert.match(
    String(refusal(`${INPUT.replace('[ 1, 3 ]', '[ 3 ]')} ${OUTPUT}`)),
    /expects 2 dimensions \(shape \[1,3\]\)/,
  )
  assert.equal(
    refusal(`${INPUT.replace('FP32', 'INT8')} ${OUTPUT}`),
    "unable to load model 'm', configuration expects datatype TYPE_INT8 for input 'x', model provides TYPE_FP32",
  )
})
