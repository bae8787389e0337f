import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { Rejection } from '../rejection.ts'
import { bindRequest } from './bind.ts'
import { findNumericPort, readNumericRows } from './numeric-rows.ts'
import type { NumericPort } from './numeric-rows.ts'
import { parseRequest } from './request.ts'
import type { Port } from './signature.ts'
import type { NamedTensor } from './tensor.ts'

const port: Port = { name: 'x', type: 'float32', dims: ['N', 3] }

function numericPort(): NumericPort {
  const numeric = findNumericPort([port])
  assert.ok(numeric)
  return numeric
}

const short = (text: string): NamedTensor | undefined =>
  readNumericRows(Buffer.from(text), numericPort())

/** What the general way makes of it; undefined when it refuses. */
function general(text: string): readonly NamedTensor[] | undefined {
  try {
    const given = parseRequest('json', Buffer.from(text))
    return bindRequest(given, { inputs: [port], outputs: [] })
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    return undefined
  }
}

test('rows of numbers are read the short way', () => {
  assert.deepEqual(short('{"instances": [[1, 2.5, -3e2], [0.1, -0, 4]]}'), {
    name: 'x',
    type: 'float32',
    dims: [2, 3],
    elements: Float32Array.of(1, 2.5, -300, 0.1, -0, 4),
  })
})

const NOT_PLAIN = [
  '{"instances": []}',
  '{"instances": [[1, 2]]}',
  '{"instances": [[1, 2, 3, 4]]}',
  '{"instances": [[1, 2, null]]}',
  '{"instances": [[1, 2, "NaN"]]}',
  '{"instances": [[1, 2, true]]}',
  '{"instances": [[1, 2, 1e39]]}',
  '{"instances": [1, 2, 3]}',
  '{"instances": [[[1, 2, 3]]]}',
  '{"instances": [[1, 2, 3]], "more": 1}',
  '{"inputs": [[1, 2, 3]]}',
  '[[1, 2, 3]]',
  '{"instances": [[1, 2, 3]]',
  'null',
  '',
] as const

for (const text of NOT_PLAIN) {
  test(`left to the general way: ${text}`, () => assert.equal(short(text), undefined))
}

for (const dims of [[1, 3], ['N', 'length'], []] as const) {
  test(`a model that takes [${dims.join(', ')}] is left to the general way`, () => {
    assert.equal(findNumericPort([{ ...port, dims }]), undefined)
  })
}

test('a model of several inputs, or of other elements, is left to the general way', () => {
  assert.equal(findNumericPort([port, { ...port, name: 'y' }]), undefined)
  assert.equal(findNumericPort([{ ...port, type: 'float64' }]), undefined)
})

test('whatever the short way reads, the general way reads the same', () => {
  const value = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(null, '1', 1e38, 3.5e38, -0))
  const row = fc.array(value, { minLength: 2, maxLength: 4 })
  const body = fc.oneof(
    fc.array(row, { maxLength: 4 }).map((instances) => JSON.stringify({ instances })),
    fc
      .array(fc.tuple(fc.float(), fc.double(), fc.integer()), { maxLength: 4 })
      .map((instances) => JSON.stringify({ instances })),
    fc.json(),
  )
  fc.assert(
    fc.property(body, (text) => {
      const read = short(text)
      if (read !== undefined) assert.deepEqual([read], general(text))
    }),
    { numRuns: 1000 },
  )
})
