import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { parseInferRequest } from './infer-request.ts'
import { byteSizeOf, DATATYPES, splitBytes } from './tensor.ts'
import type { Datatype } from './tensor.ts'

const parse = (body: Uint8Array, model: Parameters<typeof parseInferRequest>[1]['model']) =>
  parseInferRequest(body, { headerLength: '0', model, jsonBytesMax: 1_000 }).inputs

const modelOf = (datatype: Datatype, dims: readonly number[], maxBatchSize = 0) => ({
  name: 'm',
  maxBatchSize,
  inputs: [{ name: 'x', datatype, dims }],
})

test('property: a body of nothing but elements is the one input, byte for byte', () => {
  const numbers = DATATYPES.filter((datatype) => datatype !== 'BYTES')
  fc.assert(
    fc.property(
      fc.constantFrom(...numbers),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      (datatype, rowCount, isBatched, bytes) => {
        const size = 2 * rowCount * (byteSizeOf(datatype) ?? 0)
        const body = Uint8Array.from(bytes.take(size))
        const [input] = parse(body, modelOf(datatype, [-1, 2], isBatched ? 8 : 0))
        const shape = isBatched ? [1, rowCount, 2] : [rowCount, 2]
        assert.deepEqual(input, { name: 'x', datatype, shape, data: body })
      },
    ),
  )
})

test('property: a body for an input of one text is that text, whatever its bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (body) => {
      const [input] = parse(body, modelOf('BYTES', [1]))
      assert.deepEqual(input?.shape, [1])
      assert.deepEqual(splitBytes(input.data), [body])
    }),
  )
})

test('a body that says too little of its tensor is refused', () => {
  const body = new Uint8Array(12)
  const two = modelOf('FP32', [1])
  assert.throws(() => parse(body, { ...two, inputs: [...two.inputs, ...two.inputs] }), {
    code: 'INVALID_ARG',
    message:
      "[request id: <id_unknown>] Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in 'm' model configuration",
  })
  assert.throws(() => parse(body, modelOf('FP32', [-1, -1])), {
    message:
      "[request id: <id_unknown>] The shape of the raw input 'x' can not be deduced because there are more than one variable-sized dimension",
  })
  assert.throws(() => parse(body, modelOf('BYTES', [2])), {
    message:
      "[request id: <id_unknown>] For BYTE datatype raw input 'x', the model must have input shape [1]",
  })
})

test('a body beyond the limit is refused', () => {
  assert.throws(() => parse(new Uint8Array(1_001), modelOf('UINT8', [-1])), {
    code: 'INVALID_ARG',
    message:
      "raw input 'x' has a byte_size (1001 bytes) that exceeds the maximum allowed value of 1000 bytes. Use --http-max-input-size to increase the limit.",
  })
})
