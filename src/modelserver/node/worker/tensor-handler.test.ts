import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandlerContext } from './handler-context.ts'
import { functionsOfTensorModel } from './tensor-handler.ts'

const JSON_TYPE = 'application/json'

function contextOf(): HandlerContext {
  return new HandlerContext({
    requestId: 'r',
    headers: {},
    signal: new AbortController().signal,
    modelDirectory: '/',
    model: undefined,
    contentType: JSON_TYPE,
    accept: JSON_TYPE,
  })
}

for (const { given, maxBatchSize, body, rowCount } of [
  { given: 'rows', maxBatchSize: 8, body: '[[1, 2], [3, 4]]', rowCount: 2 },
  { given: 'one tensor without a batch dimension', maxBatchSize: 0, body: '[1, 2]', rowCount: 1 },
]) {
  test(`a model of tensors is told how many rows a request has: ${given}`, async () => {
    const told: unknown[] = []
    const { transformFn } = functionsOfTensorModel({
      signature: {
        inputs: { x: { datatype: 'FP32', dims: [2] } },
        outputs: { y: { datatype: 'FP32', dims: [2] } },
        maxBatchSize,
      },
      predict: ({ x }: { x: object }, { requests }: { requests: readonly object[] }) => {
        told.push(...requests)
        return { y: x }
      },
    })
    await transformFn?.(undefined, body, JSON_TYPE, JSON_TYPE, contextOf())
    assert.deepEqual(told, [{ id: 'r', rowCount, parameters: {} }])
  })
}

for (const { given, body, message } of [
  {
    given: 'more rows than run together',
    body: '{"instances": [{"x": 1, "z": 1}, {"x": 2, "z": 2}, {"x": 3, "z": 3}]}',
    message:
      /has 3 rows; at most 2 run together \(signature\.maxBatchSize\)\. The model takes inputs: x/,
  },
  {
    given: 'inputs of different numbers of rows',
    body: '{"inputs": {"x": [[1], [2]], "z": [[1]]}}',
    message: /different numbers of rows: x has 2, z has 1\. The model takes inputs: x float32/,
  },
]) {
  test(`refused before the model is asked: ${given}`, async () => {
    const { transformFn } = functionsOfTensorModel({
      signature: {
        inputs: { x: { datatype: 'FP32', dims: [1] }, z: { datatype: 'FP32', dims: [1] } },
        outputs: { y: { datatype: 'FP32', dims: [1] } },
        maxBatchSize: 2,
      },
      predict: () => assert.fail('it was asked'),
    })
    await assert.rejects(
      async () => transformFn?.(undefined, body, JSON_TYPE, JSON_TYPE, contextOf()),
      { name: 'Rejection', status: 400, message },
    )
  })
}

test('what sets status and headers may be taken out of the context', () => {
  const context = contextOf()
  const { setStatus, setHeader } = context
  setStatus(201)
  setHeader('X-Kind', 'tried')
  const head = context.replyHead('text/plain')
  assert.deepEqual([head.status, head.headers['x-kind']], [201, 'tried'])
})
