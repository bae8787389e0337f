import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decideSequenceBatch } from './sequence-batch.ts'
import type { SequenceDecision, SequenceStrategy } from './sequence-batch.ts'

const head = (enqueuedAtMs = 0, shapeKey = '') => ({ enqueuedAtMs, shapeKey, rowCount: 1 })
const direct = (minimumUtilization = 0, queueDelayMs = 0): SequenceStrategy => {
  return { kind: 'direct', minimumUtilization, queueDelayMs }
}
const oldest = (preferredSizes: readonly number[], queueDelayMs = 0): SequenceStrategy => {
  return { kind: 'oldest', preferredSizes, queueDelayMs }
}
const LIMITS = { slotCount: 4, rowsMax: 4 }
const spell = (decision: SequenceDecision): string =>
  decision.kind === 'wait'
    ? `until ${decision.untilMs}`
    : decision.rows.map(({ slot, isReady }) => (isReady ? `${slot}` : `(${slot})`)).join(' ')

for (const { given, heads, strategy, nowMs = 0, expected } of [
  { given: 'nothing', heads: [], strategy: direct(), expected: 'until Infinity' },
  {
    given: 'direct with gaps: those keep their rows',
    heads: [head(), undefined, head()],
    strategy: direct(),
    expected: '0 (1) 2',
  },
  {
    given: 'direct with another shape: it keeps its row and waits',
    heads: [head(0, 'x'), head(0, 'y'), head(0, 'x'), head(0, 'y')],
    strategy: direct(),
    expected: '0 (1) 2',
  },
  {
    given: 'direct and too few of the slots used',
    heads: [head(3)],
    strategy: direct(0.5, 10),
    nowMs: 5,
    expected: 'until 13',
  },
  {
    given: 'direct and enough of the slots used',
    heads: [head(3), head(4)],
    strategy: direct(0.5, 10),
    nowMs: 5,
    expected: '0 1',
  },
  {
    given: 'direct and too few for too long',
    heads: [head(3)],
    strategy: direct(0.5, 10),
    nowMs: 13,
    expected: '0',
  },
  {
    given: 'oldest: those that waited longest, in that order',
    heads: [head(5), undefined, head(3), head(4)],
    strategy: oldest([2]),
    nowMs: 9,
    expected: '2 3',
  },
  {
    given: 'oldest and a delay that has not passed',
    heads: [head(5)],
    strategy: oldest([4], 10),
    nowMs: 6,
    expected: 'until 15',
  },
]) {
  test(`given ${given}`, () => {
    assert.equal(spell(decideSequenceBatch(heads, strategy, LIMITS, nowMs)), expected)
  })
}

test('property: what runs is there, of one shape, once each, within the limits, and direct rows are slots', () => {
  const heads = fc.array(
    fc.option(
      fc.record({
        enqueuedAtMs: fc.integer({ min: 0, max: 20 }),
        shapeKey: fc.constantFrom('x', 'y'),
        rowCount: fc.constant(1),
      }),
      { nil: undefined },
    ),
    { maxLength: 9 },
  )
  const strategies = fc.oneof(
    fc.record({
      kind: fc.constant('direct' as const),
      minimumUtilization: fc.constantFrom(0, 0.5, 1),
      queueDelayMs: fc.constantFrom(0, 10),
    }),
    fc.record({
      kind: fc.constant('oldest' as const),
      preferredSizes: fc.constantFrom([4], [2, 4]),
      queueDelayMs: fc.constantFrom(0, 10),
    }),
  )
  fc.assert(
    fc.property(heads, strategies, fc.integer({ min: 0, max: 40 }), (slots, strategy, nowMs) => {
      const limits = { slotCount: 9, rowsMax: strategy.kind === 'direct' ? 9 : 4 }
      const decision = decideSequenceBatch(slots, strategy, limits, nowMs)
      const isAnyThere = slots.some((one) => one !== undefined)
      if (decision.kind === 'wait') {
        assert.ok(decision.untilMs > nowMs && decision.untilMs < Infinity === isAnyThere)
        return
      }
      const ready = decision.rows.filter(({ isReady }) => isReady).map(({ slot }) => slot)
      assert.ok(ready.length > 0 && decision.rows.length <= limits.rowsMax)
      assert.equal(new Set(decision.rows.map(({ slot }) => slot)).size, decision.rows.length)
      assert.equal(new Set(ready.map((slot) => slots[slot]?.shapeKey)).size, 1)
      assert.ok(ready.every((slot) => slots[slot] !== undefined))
      if (strategy.kind === 'direct') {
        assert.ok(decision.rows.every(({ slot }, row) => slot === row))
      }
    }),
  )
})
