import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HandlerContext } from './handler-context.ts'
import { functionsOfTensorModel } from './tensor-handler.ts'

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
    const context = new HandlerContext({
      requestId: 'r',
      headers: {},
      signal: new AbortController().signal,
      modelDirectory: '/',
      model: undefined,
      contentType: 'application/json',
      accept: 'application/json',
    })
    await transformFn?.(undefined, body, 'application/json', 'application/json', context)
    assert.deepEqual(told, [{ id: 'r', rowCount, parameters: {} }])
  })
}
