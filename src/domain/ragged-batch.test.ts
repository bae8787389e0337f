import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeBatch } from './ragged-batch.ts'
import type { BatchInputKind } from './ragged-batch.ts'

const EXPECTED: Readonly<
  Record<BatchInputKind, readonly [shape: readonly number[], values: readonly number[]]>
> = {
  BATCH_ELEMENT_COUNT: [[3], [3, 8, 1]],
  BATCH_ACCUMULATED_ELEMENT_COUNT: [[3], [3, 11, 12]],
  BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO: [[4], [0, 3, 11, 12]],
  BATCH_MAX_ELEMENT_COUNT_AS_SHAPE: [[8], [0, 0, 0, 0, 0, 0, 0, 0]],
  // A request of two rows is two items.
  BATCH_ITEM_SHAPE: [
    [4, 2],
    [3, 1, 2, 2, 2, 2, 1, 1],
  ],
  BATCH_ITEM_SHAPE_FLATTEN: [[8], [3, 1, 2, 2, 2, 2, 1, 1]],
}

for (const kind of Object.keys(EXPECTED) as BatchInputKind[]) {
  test(`${kind} of three requests, one of two rows`, () => {
    const [shape, values] = EXPECTED[kind]
    const shapes = [
      [1, 3, 1],
      [2, 2, 2],
      [1, 1, 1],
    ]
    assert.deepEqual(describeBatch(kind, shapes), { shape, values })
  })
}
