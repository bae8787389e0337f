import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NamedTensor } from '../../codecs/tensor.ts'
import { measureDifferences } from './measure-difference.ts'

const floats = (...values: number[]): NamedTensor => ({
  name: 'y',
  type: 'float32',
  dims: [values.length],
  elements: Float32Array.from(values),
})
const integers = (...values: bigint[]): NamedTensor => ({
  name: 'label',
  type: 'int64',
  dims: [values.length],
  elements: BigInt64Array.from(values),
})

for (const { given, pairs, expected } of [
  {
    given: 'floats: a share of the largest value of all answers',
    pairs: [
      [[floats(1, 2)], [floats(1, 2.5)]],
      [[floats(-10)], [floats(-10)]],
    ],
    expected: [{ output: 'y', largest: 0.5, share: 0.05 }],
  },
  {
    given: 'labels: how many are another',
    pairs: [[[integers(1n, 2n, 3n, 4n)], [integers(1n, 2n, 3n, 5n)]]],
    expected: [{ output: 'label', largest: 1, share: 0.25 }],
  },
  {
    given: 'the worst output first',
    pairs: [
      [
        [integers(1n), floats(2)],
        [integers(1n), floats(3)],
      ],
    ],
    expected: [
      { output: 'y', largest: 1, share: 0.5 },
      { output: 'label', largest: 0, share: 0 },
    ],
  },
  {
    given: 'no number where there was one',
    pairs: [[[floats(1, NaN)], [floats(NaN, NaN)]]],
    expected: [{ output: 'y', largest: Infinity, share: Infinity }],
  },
  {
    given: 'infinity in both',
    pairs: [[[floats(1, Infinity)], [floats(1, Infinity)]]],
    expected: [{ output: 'y', largest: 0, share: 0 }],
  },
  {
    given: 'something where nothing was',
    pairs: [[[floats(0)], [floats(1)]]],
    expected: [{ output: 'y', largest: 1, share: Infinity }],
  },
  {
    given: 'an output of another shape',
    pairs: [[[floats(0)], [floats(0, 0)]]],
    expected: [{ output: 'y', largest: Infinity, share: Infinity }],
  },
] satisfies readonly {
  given: string
  pairs: (readonly [NamedTensor[], NamedTensor[]])[]
  expected: unknown
}[]) {
  test(given, () => {
    assert.deepEqual(measureDifferences(pairs), expected)
  })
}
