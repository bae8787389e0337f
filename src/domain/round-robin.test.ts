import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { RoundRobin } from './round-robin.ts'

function takeAll(lines: RoundRobin<string>): string[] {
  const taken: string[] = []
  for (let item = lines.next(); item !== undefined; item = lines.next()) taken.push(item)
  return taken
}

test('lines take turns, whatever their length', () => {
  const lines = new RoundRobin<string>()
  for (let index = 0; index < 5; index += 1) lines.add('long', `l${index}`, 1)
  lines.add('short', 's0', 1)
  assert.deepEqual(takeAll(lines), ['l0', 's0', 'l1', 'l2', 'l3', 'l4'])
  assert.equal(lines.count, 0)
})

test('who costs more gets fewer', () => {
  const lines = new RoundRobin<string>()
  for (let index = 0; index < 30; index += 1) {
    lines.add('dear', 'd', 3)
    lines.add('cheap', 'c', 1)
  }
  const first = takeAll(lines).slice(0, 20)
  assert.equal(first.filter((item) => item === 'd').length, 5)
})

test('property: everything comes out once, in the order of its line', () => {
  const anyItem = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    cost: fc.double({ min: 0.1, max: 5, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(anyItem, { maxLength: 50 }), (items) => {
      const lines = new RoundRobin<string>()
      for (const [index, { key, cost }] of items.entries()) lines.add(key, `${key}${index}`, cost)
      assert.equal(lines.count, items.length)
      const taken = takeAll(lines)
      for (const key of ['a', 'b', 'c']) {
        const expected = items.flatMap((item, index) =>
          item.key === key ? [`${key}${index}`] : [],
        )
        assert.deepEqual(
          taken.filter((item) => item.startsWith(key)),
          expected,
        )
      }
    }),
  )
})
