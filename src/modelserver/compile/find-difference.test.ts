import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ElementType, Elements, NamedTensor } from '../codecs/tensor.ts'
import { findDifference } from './find-difference.ts'

function output(elements: Elements, type: ElementType = 'float32'): readonly NamedTensor[] {
  return [{ name: 'y', type, dims: [elements.length], elements }]
}
const floats = (...values: number[]): readonly NamedTensor[] => output(new Float32Array(values))

for (const { given, expected, actual, isSame } of [
  { given: 'the same', expected: floats(1, 2), actual: floats(1, 2), isSame: true },
  { given: 'a rounding', expected: floats(1000, 2), actual: floats(1000.05, 2), isSame: true },
  { given: 'more than a rounding', expected: floats(1000, 2), actual: floats(1000, 3) },
  { given: 'small values all wrong', expected: floats(1e-6, 2e-6), actual: floats(2e-6, 1e-6) },
  { given: 'NaN twice', expected: floats(NaN), actual: floats(NaN), isSame: true },
  { given: 'NaN once', expected: floats(1), actual: floats(NaN) },
  { given: 'infinities of two signs', expected: floats(Infinity), actual: floats(-Infinity) },
  { given: 'zeros of two signs', expected: floats(0), actual: floats(-0), isSame: true },
  { given: 'another shape', expected: floats(1, 2), actual: floats(1) },
  {
    given: 'integers one apart',
    expected: output(new BigInt64Array([5n]), 'int64'),
    actual: output(new BigInt64Array([6n]), 'int64'),
  },
  {
    given: 'the same strings',
    expected: output(['a'], 'string'),
    actual: output(['a'], 'string'),
    isSame: true,
  },
  { given: 'a missing output', expected: floats(1), actual: [] },
]) {
  test(`${given}: ${isSame === true ? 'no difference' : 'a difference'}`, () => {
    assert.equal(findDifference(expected, actual) === undefined, isSame === true)
  })
}
