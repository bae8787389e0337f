import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainLoadError, withoutSourcePath } from './load-failure.ts'

// Messages as ONNX Runtime 1.30 gives them, with the paths of the machine it was built on.
for (const { given, error, reason, message } of [
  {
    given: 'a domain other than the standard one',
    error:
      'Opset 9 is under development and support for this is limited. Current official support for domain ai.onnx.ml is till opset 5.',
    reason: 'modelUnsupported',
    message: 'm.onnx uses opset 9 of ai.onnx.ml, this runtime supports up to 5',
  },
  {
    given: 'a file format of the future',
    error:
      'Load model from /x/m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/model.cc:181 onnxruntime::Model::Model(onnx::ModelProto&&, int) Unsupported model IR version: 99, max supported IR version: 13',
    reason: 'modelUnsupported',
    message: 'm.onnx uses IR version 99, this runtime supports up to 13',
  },
  {
    given: 'anything else, without the path',
    error:
      'Load model from /x/m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/graph.cc:12 void f(int) const Node (n) has input size 1\nnot in range',
    reason: 'modelInvalid',
    message: 'm.onnx cannot be loaded: Node (n) has input size 1 not in range',
  },
]) {
  test(`says in a sentence: ${given}`, () => {
    const failure = explainLoadError('m.onnx', new Error(error))
    assert.deepEqual([failure.reason, failure.message], [reason, message])
  })
}

test('a message without a path stays as it is', () => {
  assert.equal(
    withoutSourcePath('Got invalid dimensions for input: x'),
    'Got invalid dimensions for input: x',
  )
})
