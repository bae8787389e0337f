import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { QueuePolicy } from './dynamic-batch.ts'
import { choosePriority, decideDeadline, PriorityLine } from './queue-policy.ts'

const POLICY: QueuePolicy = {
  timeoutAction: 'reject',
  defaultTimeoutMs: 0,
  canShorten: false,
  sizeMax: 0,
}
const item = (name: string, priority = 0, deadlineAtMs = Infinity) => {
  return { name, priority, deadlineAtMs, enqueuedAtMs: 0 }
}
const names = (items: readonly { readonly name: string }[]): string =>
  items.map(({ name }) => name).join('')

for (const { given, policy, requestTimeoutMs, expected } of [
  {
    given: 'no timeout, and a wish',
    policy: { canShorten: true },
    requestTimeoutMs: 5,
    expected: Infinity,
  },
  {
    given: 'no wish',
    policy: { defaultTimeoutMs: 9, canShorten: true },
    requestTimeoutMs: 0,
    expected: 109,
  },
  {
    given: 'a shorter wish',
    policy: { defaultTimeoutMs: 9, canShorten: true },
    requestTimeoutMs: 5,
    expected: 105,
  },
  {
    given: 'a longer wish',
    policy: { defaultTimeoutMs: 9, canShorten: true },
    requestTimeoutMs: 50,
    expected: 109,
  },
  {
    given: 'a wish that is not allowed',
    policy: { defaultTimeoutMs: 9 },
    requestTimeoutMs: 5,
    expected: 109,
  },
]) {
  test(`a request waits until its deadline, given ${given}`, () => {
    assert.equal(decideDeadline({ ...POLICY, ...policy }, 100, requestTimeoutMs), expected)
  })
}

test('a priority that there is not becomes the default one', () => {
  assert.deepEqual(
    [0, 1, 3, 4, -1].map((given) => choosePriority(given, 3, 2)),
    [2, 1, 3, 2, 2],
  )
  assert.equal(choosePriority(7, 0, 2), 0)
})

test('priorities go first, those that are late last within their level', () => {
  const line = new PriorityLine<ReturnType<typeof item>>((priority) => {
    return priority === 1 ? { ...POLICY, timeoutAction: 'delay' } : POLICY
  })
  for (const one of [
    item('d', 2),
    item('a', 1, 10),
    item('b', 1),
    item('e', 2, 10),
    item('c', 1),
  ]) {
    line.add(one)
  }
  assert.equal(names(line.first(9)), 'abcde')
  assert.equal(names(line.expire(9)), '')
  assert.equal(names(line.expire(10)), 'e')
  assert.equal(names(line.first(9)), 'bcad')
  assert.equal(names(line.first(2)), 'bc')
  assert.equal(line.nextDeadlineAtMs, Infinity)
})

test('a level is full by itself', () => {
  const line = new PriorityLine<ReturnType<typeof item>>((priority) => {
    return { ...POLICY, sizeMax: priority === 1 ? 1 : 0 }
  })
  line.add(item('a', 1))
  line.add(item('b', 2))
  assert.deepEqual([line.isFull(1), line.isFull(2), line.isFull(3)], [true, false, false])
})

test('property: no item is lost, doubled, or overtaken within its level', () => {
  const given = fc.array(
    fc.record({
      priority: fc.integer({ min: 1, max: 3 }),
      deadlineAtMs: fc.integer({ min: 0, max: 9 }),
    }),
  )
  fc.assert(
    fc.property(given, fc.integer({ min: 0, max: 9 }), (specs, nowMs) => {
      const line = new PriorityLine<ReturnType<typeof item> & { readonly index: number }>(
        () => POLICY,
      )
      const items = specs.map((spec, index) => ({ ...item('x'), ...spec, index }))
      for (const one of items) line.add(one)
      const expired = line.expire(nowMs)
      const left = line.first(Infinity)
      assert.ok(expired.every(({ deadlineAtMs }) => deadlineAtMs <= nowMs))
      assert.equal(expired.length + left.length, items.length)
      const sorted = left.toSorted((a, b) => a.priority - b.priority || a.index - b.index)
      assert.deepEqual(left, sorted)
      for (const one of left) assert.ok(line.remove(one))
      assert.equal(line.size, 0)
    }),
  )
})
