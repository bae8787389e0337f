import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideBatch } from './batching.ts'
import { decideInOrder } from './dynamic-batch.ts'
import type { ArrivalOrder, QueuedRows } from './dynamic-batch.ts'

const NEVER = Infinity
const rows = (rowCount: number, enqueuedAtMs = 0, shapeKey = ''): QueuedRows => {
  return { rowCount, enqueuedAtMs, shapeKey }
}
const ones = (count: number): readonly QueuedRows[] => Array.from({ length: count }, () => rows(1))
const order = (preferredSizes: readonly number[], queueDelayMs = 0): ArrivalOrder => {
  return { preferredSizes, queueDelayMs, nextDeadlineAtMs: NEVER }
}

for (const { given, waiting, rules, nowMs = 0, expected } of [
  { given: 'nothing', waiting: [], rules: order([8]), expected: { kind: 'wait', untilMs: NEVER } },
  {
    given: 'no delay and fewer than preferred',
    waiting: ones(3),
    rules: order([4, 8]),
    expected: { kind: 'take', count: 3 },
  },
  {
    given: 'no delay and more than a preferred size: the largest prefix that has one',
    waiting: ones(6),
    rules: order([2, 4]),
    expected: { kind: 'take', count: 4 },
  },
  {
    given: 'a delay that has not passed',
    waiting: [rows(1, 10), rows(1, 11)],
    rules: order([8], 5),
    nowMs: 12,
    expected: { kind: 'wait', untilMs: 15 },
  },
  {
    given: 'a delay that has passed: everything, preferred or not',
    waiting: ones(5),
    rules: order([4, 8], 5),
    nowMs: 5,
    expected: { kind: 'take', count: 5 },
  },
  {
    given: 'a preferred size before the delay has passed',
    waiting: ones(5),
    rules: order([4], 5),
    nowMs: 1,
    expected: { kind: 'take', count: 4 },
  },
  {
    given: 'another shape, which cuts the batch however long the delay',
    waiting: [rows(1, 0, 'a'), rows(1, 0, 'a'), rows(1, 0, 'b'), rows(1, 0, 'a')],
    rules: order([8], 100),
    expected: { kind: 'take', count: 2 },
  },
  {
    given: 'a request that does not fit any more',
    waiting: [rows(5), rows(2), rows(3)],
    rules: order([8], 100),
    expected: { kind: 'take', count: 2 },
  },
  {
    given: 'one that is larger than any batch: alone',
    waiting: [rows(9), rows(1)],
    rules: order([8], 100),
    expected: { kind: 'take', count: 1 },
  },
  {
    given: 'a deadline before the delay ends',
    waiting: ones(1),
    rules: { ...order([8], 100), nextDeadlineAtMs: 7 },
    expected: { kind: 'wait', untilMs: 7 },
  },
] as const) {
  test(`given ${given}`, () => {
    assert.deepEqual(decideInOrder(waiting, 8, rules, nowMs), expected)
  })
}

test('the one batcher takes in the order of arrival when told to', () => {
  const waiting = ones(3).map((item) => ({ ...item, deadlineAtMs: -1 }))
  const limits = { rowsMax: 8, itemsMax: 8, arrivalOrder: order([2]) }
  const cost = { fixedMs: 1, perRowMs: 1, inflation: 1 }
  assert.deepEqual(decideBatch(waiting, cost, limits, 0), { take: [0, 1], shed: [] })
})

test('property: what is taken is a prefix of one shape within the limit, and nothing waits for ever', () => {
  const item = fc.record({
    rowCount: fc.integer({ min: 1, max: 10 }),
    enqueuedAtMs: fc.integer({ min: 0, max: 50 }),
    shapeKey: fc.constantFrom('a', 'b'),
  })
  const preferred = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 3 })
  const delays = fc.integer({ min: 0, max: 30 })
  fc.assert(
    fc.property(fc.array(item, { minLength: 1 }), preferred, delays, (waiting, sizes, delayMs) => {
      const nowMs = 60
      const decision = decideInOrder(waiting, 8, order(sizes, delayMs), nowMs)
      if (decision.kind === 'wait') {
        assert.ok(decision.untilMs > nowMs && decision.untilMs < Infinity)
        return
      }
      const taken = waiting.slice(0, decision.count)
      const rowCount = taken.reduce((sum, one) => sum + one.rowCount, 0)
      assert.ok(decision.count >= 1)
      assert.ok(decision.count === 1 || rowCount <= 8)
      assert.equal(new Set(taken.map(({ shapeKey }) => shapeKey)).size, 1)
    }),
  )
})
