import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { decideShare } from './fair-share.ts'

const CASES = [
  { given: 'an empty room', taken: 0, ownTaken: 0, wanted: 90, verdict: 'granted' },
  { given: 'more than there is', taken: 0, ownTaken: 0, wanted: 91, verdict: 'no-room' },
  {
    given: 'one that grows in steps, four fifths',
    taken: 71,
    ownTaken: 71,
    wanted: 1,
    verdict: 'granted',
  },
  { given: 'the same, beyond', taken: 72, ownTaken: 72, wanted: 1, verdict: 'over-share' },
  { given: 'a second one', taken: 72, ownTaken: 0, wanted: 18, verdict: 'granted' },
  { given: 'a large one beside others', taken: 80, ownTaken: 60, wanted: 1, verdict: 'over-share' },
] as const
for (const { given, verdict, ...room } of CASES) {
  test(`share: ${given} → ${verdict}`, () => {
    assert.equal(decideShare({ capacity: 90, ...room }), verdict)
  })
}

test('property: greedy ones leave room for a newcomer, and get about the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), (count) => {
      const capacity = 10_000
      const held = Array.from({ length: count }, () => 0)
      const sum = () => held.reduce((all, one) => all + one, 0)
      for (let step = 0; step < 3 * capacity; step += 1) {
        const who = step % count
        const ownTaken = held[who] ?? 0
        const verdict = decideShare({ capacity, taken: sum(), ownTaken, wanted: 1 })
        assert.notEqual(verdict, 'no-room')
        if (verdict === 'granted') held[who] = ownTaken + 1
      }
      assert.ok(capacity - sum() > capacity / (4 * count + 2))
      assert.ok(Math.max(...held) - Math.min(...held) <= 1)
    }),
    { numRuns: 8 },
  )
})
