import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fitDims, flatten } from './block.ts'
import { countElements } from './tensor.ts'

for (const { given, model, oneRow, expected } of [
  { given: [2, 3], model: ['N', 3], oneRow: false, expected: [2, 3] },
  { given: [2, 64], model: ['N', 1, 8, 8], oneRow: false, expected: [2, 1, 8, 8] },
  { given: [2, 8, 8], model: ['N', 64], oneRow: false, expected: [2, 64] },
  { given: [5], model: ['N', 1], oneRow: false, expected: [5, 1] },
  { given: [5, 1], model: ['N'], oneRow: false, expected: [5] },
  { given: [64], model: ['N', 64], oneRow: true, expected: [1, 64] },
  { given: [8, 8], model: ['N', 64], oneRow: true, expected: [1, 64] },
  { given: [64], model: ['N', 64], oneRow: false, expected: undefined },
  { given: [3, 7], model: ['N', 'length'], oneRow: false, expected: [3, 7] },
  { given: [7], model: ['N', 'length'], oneRow: true, expected: undefined },
  { given: [2, 3], model: [1, 3], oneRow: true, expected: undefined },
  { given: [3], model: [1, 3], oneRow: true, expected: [1, 3] },
  { given: [2, 4], model: ['N', 3], oneRow: true, expected: undefined },
  { given: [3, 2], model: ['N', 3], oneRow: false, expected: undefined },
  { given: [], model: [], oneRow: false, expected: [] },
  { given: [4], model: [], oneRow: false, expected: [4] },
]) {
  test(`${JSON.stringify({ given, model, oneRow })} is ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(fitDims(given, model, { canBeOneRow: oneRow }), expected)
  })
}

for (const [given, message] of [
  [[[1, 2], [3]], /different lengths \(2 and 1\)/],
  [[[1], 2], /different numbers of dimensions/],
  [[1, [2]], /different numbers of dimensions/],
  [[{ b64: '' }], /an object stands/],
] as const) {
  test(`refuses ${JSON.stringify(given)}`, () => assert.throws(() => flatten(given), { message }))
}

test('refuses arrays deeper than any tensor', () => {
  const deep: unknown = JSON.parse('['.repeat(5000) + ']'.repeat(5000))
  assert.throws(() => flatten(deep), { message: /nested more than 32 deep/ })
})

test('property: a fit never changes how many values there are, and keeps the rows', () => {
  const dims = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
  const model = fc.array(fc.oneof(fc.constant('N'), fc.integer({ min: 1, max: 6 })), {
    maxLength: 4,
  })
  fc.assert(
    fc.property(dims, model, fc.boolean(), (given, declared, canBeOneRow) => {
      const fitted = fitDims(given, declared, { canBeOneRow })
      if (fitted === undefined) return
      assert.equal(countElements(fitted), countElements(given))
      if (!canBeOneRow) assert.equal(fitted[0], given[0])
    }),
  )
})
