import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeRecordio } from './recordio-writer.ts'
import { parseRecordio } from './recordio.ts'
import { startElements } from './cast.ts'
import type { NamedTensor } from './tensor.ts'

// Written by google.protobuf from Amazon's record.proto: label["a"].int32_tensor.values = [-1], label["b"] of [[1.5, 2]] with its shape.
test('writes a record as protobuf does', () => {
  const body = encodeRecordio(
    [
      { name: 'a', type: 'int32', dims: [1], elements: Int32Array.of(-1) },
      { name: 'b', type: 'float32', dims: [1, 1, 2], elements: Float32Array.of(1.5, 2) },
    ],
    1,
  )
  const first = '12130a0161120e3a0c0a0affffffffffffffffff01'
  const second = '12150a01621210120e0a080000c03f000000401a020102'
  assert.equal(body.subarray(8).toString('hex').replace(/0+$/, ''), first + second)
  assert.equal(body.readUInt32LE(4), (first + second).length / 2)
  assert.equal(body.length % 4, 0)
})

test('an integer that float64 would change is refused', () => {
  const elements = BigInt64Array.of(2n ** 53n)
  assert.throws(() => encodeRecordio([{ name: 'id', type: 'int64', dims: [1], elements }], 1), {
    status: 406,
    message: /id has 9007199254740992/,
  })
})

const rowsOfNumbers = fc.record({
  type: fc.constantFrom(
    ...(['float32', 'float64', 'int8', 'uint16', 'int32', 'uint32', 'int64', 'bool'] as const),
  ),
  width: fc.integer({ min: 1, max: 5 }),
  values: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 20 }),
})

// A label and a feature are the same message under another number, so the reader of features reads what is written.
test('property: what is written reads back, row by row', () => {
  fc.assert(
    fc.property(rowsOfNumbers, ({ type, width, values }) => {
      const rowCount = Math.floor(values.length / width)
      const { elements } = startElements(type, rowCount * width, 'numbers')
      assert.ok(!Array.isArray(elements))
      for (let index = 0; index < elements.length; index += 1) {
        const isWide = elements instanceof BigInt64Array || elements instanceof BigUint64Array
        if (isWide) elements[index] = BigInt(values[index] ?? 0)
        else elements[index] = values[index] ?? 0
      }
      const output: NamedTensor = { name: 'values', type, dims: [rowCount, width], elements }
      const body = encodeRecordio([output], rowCount)
      const read = parseRecordio(toFeatures(body))
      assert.deepEqual(Array.from(read.values), Array.from(elements, Number))
      assert.equal(read.rowCount, rowCount)
      if (rowCount > 0) assert.equal(read.columnCount, width)
    }),
  )
})

function toFeatures(body: Buffer): Buffer {
  const copy = Buffer.from(body)
  for (let at = 0; at < copy.length; at += 8 + Math.ceil(copy.readUInt32LE(at + 4) / 4) * 4) {
    assert.equal(copy[at + 8], 0x12)
    copy[at + 8] = 0x0a
  }
  return copy
}
