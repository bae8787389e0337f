import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { quantiseMatrix, transpose } from './quantise-matrix.ts'

test('each column has its own scale, zero stays zero and the largest has the largest level', () => {
  const elements = Float32Array.from([1, -100, 0, 0.5, 50, 0])
  const { elements: quantised, scales } = quantiseMatrix(
    { rows: 2, columns: 3, elements },
    'column',
    127,
  )
  assert.deepEqual([...quantised], [127, -127, 0, 64, 64, 0])
  assert.deepEqual(scales, Float32Array.from([1 / 127, 100 / 127, 1]))
})

test('one scale for all loses the small columns', () => {
  const elements = Float32Array.from([1, -100, 0, 0.3, 50, 0])
  const quantised = quantiseMatrix({ rows: 2, columns: 3, elements }, 'matrix', 127)
  assert.deepEqual([...quantised.elements], [1, -127, 0, 0, 64, 0])
  assert.equal(quantised.scales.length, 1)
})

test('property: what is rounded is at most half a scale away, within the levels', () => {
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
    .chain(([rows, columns]) =>
      fc
        .array(fc.float({ min: -1e6, max: 1e6, noNaN: true }), {
          minLength: rows * columns,
          maxLength: rows * columns,
        })
        .map((values) => ({ rows, columns, elements: Float32Array.from(values) })),
    )
  const part = fc.constantFrom('column' as const, 'row' as const, 'matrix' as const)
  fc.assert(
    fc.property(matrix, part, fc.constantFrom(64, 127), (given, scalesBy, levelMax) => {
      const { elements, scales } = quantiseMatrix(given, scalesBy, levelMax)
      const partOf = {
        column: (index: number) => index % given.columns,
        row: (index: number) => Math.floor(index / given.columns),
        matrix: () => 0,
      }
      for (const [index, level] of elements.entries()) {
        const scale = scales[partOf[scalesBy](index)] ?? NaN
        assert.ok(Math.abs(level) <= levelMax)
        const distance = Math.abs(level * scale - (given.elements[index] ?? NaN))
        assert.ok(distance <= scale * 0.5001, `${distance} of ${scale}`)
      }
      assert.deepEqual(transpose(transpose(given)), given)
    }),
  )
})
