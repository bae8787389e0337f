import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { joinBytes, splitBytes } from '../../wire/oip/tensor.ts'
import type { Tensor } from '../../wire/oip/tensor.ts'
import type { InferenceRequest } from './backend.ts'
import { gatherInputs, scatterOutputs } from './gather.ts'

function request(inputs: readonly Tensor[]): InferenceRequest {
  return {
    id: '',
    inputs,
    requestedOutputs: inputs.map(({ name }) => name),
    parameters: new Map(),
    batchSize: inputs[0]?.shape[0] ?? 0,
    correlationId: 0n,
    isSequenceStart: false,
    isSequenceEnd: false,
    priority: 0,
    timeoutMs: 0,
    signal: new AbortController().signal,
    respond: () => undefined,
    fail: () => undefined,
  }
}

const bytes = (rows: readonly number[]): Tensor => {
  return { name: 'n', datatype: 'UINT8', shape: [rows.length], data: Uint8Array.from(rows) }
}
const texts = (rows: readonly string[]): Tensor => {
  const data = joinBytes(rows.map((text) => Buffer.from(text)))
  return { name: 't', datatype: 'BYTES', shape: [rows.length, 1], data }
}

test('property: what is gathered and given back is each request its own, numbers and texts', () => {
  const row = fc.record({
    number: fc.integer({ min: 0, max: 255 }),
    text: fc.string({ unit: 'grapheme' }),
  })
  const batches = fc.array(fc.array(row, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(batches, (batch) => {
      const requests = batch.map((rows) =>
        request([bytes(rows.map(({ number }) => number)), texts(rows.map(({ text }) => text))]),
      )
      const { buffer, inputs } = gatherInputs(requests)
      // A model that hands through.
      const outputs = inputs.map(({ name, datatype, shape, offset, byteLength }): Tensor => {
        assert.equal(offset % 8, 0)
        return { name, datatype, shape, data: new Uint8Array(buffer, offset, byteLength) }
      })
      for (const [index, [numbers, words]] of scatterOutputs(outputs, requests).entries()) {
        const rows = batch[index] ?? []
        assert.deepEqual(
          [...(numbers?.data ?? [])],
          rows.map(({ number }) => number),
        )
        const decoded = splitBytes(words?.data ?? new Uint8Array()).map((part) =>
          Buffer.from(part).toString(),
        )
        assert.deepEqual(
          decoded,
          rows.map(({ text }) => text),
        )
      }
    }),
  )
})

test('each request gets the outputs that it wants', () => {
  const both = request([bytes([1]), texts(['a'])])
  const one = { ...both, requestedOutputs: ['t'] }
  const outputs = [bytes([1, 2]), texts(['a', 'b'])]
  const names = scatterOutputs(outputs, [both, one]).map((share) => share.map(({ name }) => name))
  assert.deepEqual(names, [['n', 't'], ['t']])
})

test('an output with other rows than the batch is nobody’s answer', () => {
  const requests = [request([bytes([1])]), request([bytes([2, 3])])]
  assert.throws(
    () => scatterOutputs([bytes([1, 2])], requests),
    /expected batch size of atleast 3 in model output, got 2/,
  )
})
