import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NamedTensor } from '../codecs/tensor.ts'
import { joinRows } from './batch-rows.ts'

const floats = (elements: Float32Array): readonly NamedTensor[] => [
  { name: 'x', type: 'float32', dims: [elements.length / 2, 2], elements },
]
const expected = floats(Float32Array.of(1, 2, 3, 4, 5, 6))
const memory = Float32Array.of(1, 2, 3, 4, 5, 6, 3, 4)

test('rows that lie one behind the other are joined where they lie', () => {
  const joined = joinRows([floats(memory.subarray(0, 2)), floats(memory.subarray(2, 6))])
  assert.deepEqual(joined, expected)
  const [elements] = joined.map((tensor) => tensor.elements)
  assert.ok(elements instanceof Float32Array)
  assert.equal(elements.buffer, memory.buffer)
})

for (const { given, parts } of [
  {
    given: 'in another order',
    parts: [memory.subarray(0, 2), memory.subarray(6, 8), memory.subarray(4, 6)],
  },
  {
    given: 'in other memory',
    parts: [memory.subarray(0, 2), Float32Array.of(3, 4), memory.subarray(4, 6)],
  },
]) {
  test(`rows that lie ${given} are copied`, () => {
    assert.deepEqual(joinRows(parts.map(floats)), expected)
  })
}
