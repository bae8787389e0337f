import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseNextInstance, ResourcePool } from './rate-limit.ts'
import type { LimitedInstance, ResourceNeed } from './rate-limit.ts'

const need = (name: string, count: number, isGlobal = false): ResourceNeed => {
  return { name, count, isGlobal }
}
const instance = (needs: readonly ResourceNeed[], executionCount = 0, priority = 0) => {
  return { limits: { needs, priority }, executionCount }
}

function poolOf(
  instances: readonly LimitedInstance[],
  sizes: readonly (readonly [string, number])[] = [],
) {
  const pool = new ResourcePool(new Map(sizes))
  for (const one of instances) assert.equal(pool.join(one), undefined)
  return pool
}

test('a resource is as large as the largest need, global and not apart', () => {
  const [a, b, c] = [
    instance([need('r', 2)]),
    instance([need('r', 1)]),
    instance([need('r', 1, true)]),
  ]
  const pool = poolOf([a, b, c])
  pool.take(a)
  assert.deepEqual([pool.hasRoomFor(b), pool.hasRoomFor(c)], [false, true])
  pool.giveBack(a)
  assert.ok(pool.hasRoomFor(b))
  pool.leave(a)
  pool.take(b)
  assert.equal(pool.hasRoomFor(instance([need('r', 1)])), false)
})

test('a size that was set is kept, and what can never fit is refused in the words of Triton', () => {
  const pool = poolOf([], [['r', 3]])
  assert.equal(
    pool.join(instance([need('r', 4)])),
    'Resource count for "r" is limited to 3 which will prevent scheduling of one or more model instances, the minimum ' +
      'required count is 4',
  )
  const [a, b] = [instance([need('r', 1)]), instance([need('r', 2)])]
  assert.deepEqual([pool.join(a), pool.join(b)], [undefined, undefined])
  pool.take(a)
  assert.ok(pool.hasRoomFor(b))
})

test('the one that ran least for its priority is next, the first of equals', () => {
  const [a, b, c] = [instance([], 4, 1), instance([], 3, 2), instance([], 4)]
  const pool = poolOf([])
  assert.equal(chooseNextInstance([b, c, a], pool), c)
  assert.equal(chooseNextInstance([b, a, c], pool), a)
  assert.equal(chooseNextInstance([], pool), undefined)
})

test('what the next one waits for is not given to those after it, other things are', () => {
  const large = instance([need('r', 2)])
  const small = instance([need('r', 1)], 1)
  const other = instance([need('s', 1)], 2)
  const running = instance([need('r', 1)])
  const pool = poolOf([large, small, other, running])
  pool.take(running)
  assert.equal(chooseNextInstance([small, large], pool), undefined)
  assert.equal(chooseNextInstance([small, large, other], pool), other)
})

test('property: resources are never overdrawn, and everything that waits runs', () => {
  const needs = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('r', 's'),
      isGlobal: fc.boolean(),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    { selector: ({ name, isGlobal }) => `${name}${isGlobal}`, maxLength: 3 },
  )
  const instances = fc.array(fc.record({ needs, priority: fc.nat(3) }), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(instances, fc.array(fc.nat(), { maxLength: 40 }), (specs, choices) => {
      const all = specs.map((limits) => ({ limits, executionCount: 0 }))
      const pool = poolOf(all, [['r', 3]])
      const [waiting, running] = [new Set(all), new Set<(typeof all)[number]>()]
      const admit = (): void => {
        for (;;) {
          const next = chooseNextInstance(waiting, pool)
          if (next === undefined) break
          waiting.delete(next)
          pool.take(next)
          running.add(next)
          next.executionCount += 1
        }
        const held = new Map<string, number>()
        for (const { limits } of running) {
          for (const { name, isGlobal, count } of limits.needs) {
            const key = `${name}${isGlobal}`
            held.set(key, (held.get(key) ?? 0) + count)
          }
        }
        assert.ok([...held.values()].every((count) => count <= 3))
        assert.ok(running.size > 0)
      }
      admit()
      for (const choice of choices) {
        const done = [...running][choice % running.size]
        if (done === undefined) continue
        running.delete(done)
        pool.giveBack(done)
        waiting.add(done)
        admit()
      }
    }),
  )
})
