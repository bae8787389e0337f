import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteLru } from './byte-lru.ts'

test('what was not asked for longest goes first', () => {
  const lru = new ByteLru<string>(10)
  assert.ok(lru.insert('a', 'A', 4) && lru.insert('b', 'B', 4))
  assert.equal(lru.use('a'), 'A')
  assert.ok(lru.insert('c', 'C', 4))
  assert.deepEqual([lru.use('a'), lru.use('b'), lru.use('c')], ['A', undefined, 'C'])
})

test('what is larger than everything is not kept, and drives nothing out', () => {
  const lru = new ByteLru<string>(10)
  lru.insert('a', 'A', 10)
  assert.equal(lru.insert('b', 'B', 11), false)
  assert.equal(lru.use('a'), 'A')
})

test('property: never more bytes than allowed, and a value is what was last put under its key', () => {
  const inserts = fc.array(
    fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      byteCount: fc.integer({ min: 0, max: 12 }),
    }),
  )
  fc.assert(
    fc.property(inserts, (list) => {
      const lru = new ByteLru<number>(10)
      const sizes = new Map<string, readonly [value: number, byteCount: number]>()
      for (const [value, { key, byteCount }] of list.entries()) {
        if (lru.insert(key, value, byteCount)) sizes.set(key, [value, byteCount])
        const kept = [...sizes].filter(([name]) => lru.use(name) !== undefined)
        for (const [name, [expected]] of kept) assert.equal(lru.use(name), expected)
        assert.equal(
          kept.reduce((sum, [, [, size]]) => sum + size, 0),
          lru.byteCount,
        )
        assert.ok(lru.byteCount <= 10)
      }
    }),
  )
})
