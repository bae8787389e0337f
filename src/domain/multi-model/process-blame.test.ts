import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProcessBlame } from './process-blame.ts'
import type { DeathSuspect } from './process-blame.ts'

const killer: DeathSuspect = { model: 'killer', answeredCount: 0 }
const popular: DeathSuspect = { model: 'popular', answeredCount: 500 }
const slow: DeathSuspect = { model: 'slow', answeredCount: 0 }

function waitsOf(blame: ProcessBlame, suspects: readonly DeathSuspect[], atMs = 0) {
  const { blamed } = blame.recordDeath(suspects, atMs)
  return Object.fromEntries(blamed.map(({ model, waitMs }) => [model, waitMs]))
}

test('one that is alone in every death is left alone from the second on, for longer each time', () => {
  const blame = new ProcessBlame()
  const waits = Array.from({ length: 7 }, () => waitsOf(blame, [killer])['killer'])
  assert.deepEqual(waits, [undefined, 15_000, 30_000, 60_000, 120_000, 240_000, 300_000])
})

test('of two that cannot be told apart one is left out; the other one answers, and the first is the culprit', () => {
  const blame = new ProcessBlame()
  assert.deepEqual(waitsOf(blame, [killer, popular, slow]), {})
  assert.deepEqual(waitsOf(blame, [killer, popular, slow]), { killer: 1_000 })
  const answered = { ...slow, answeredCount: 1 }
  assert.deepEqual(waitsOf(blame, [killer, popular, answered]), { killer: 15_000 })
})

test('one that was left out is cleared when the process dies without it', () => {
  const blame = new ProcessBlame()
  const innocent = { model: 'innocent', answeredCount: 0 }
  blame.recordDeath([innocent, killer], 0)
  assert.deepEqual(waitsOf(blame, [innocent, killer]), { innocent: 1_000 })
  const { blamed, cleared } = blame.recordDeath([killer], 0)
  assert.deepEqual(cleared, ['innocent'])
  const verdict = { model: 'killer', waitMs: 15_000, deathCount: 3, otherCount: 0 }
  assert.deepEqual(blamed, [verdict])
})

test('two culprits: the one that is left alone stays so when the other one does it', () => {
  const blame = new ProcessBlame()
  const other = { model: 'other', answeredCount: 0 }
  assert.deepEqual(waitsOf(blame, [killer]), {})
  assert.deepEqual(waitsOf(blame, [killer]), { killer: 15_000 })
  assert.deepEqual(blame.recordDeath([other], 0), { blamed: [], cleared: [] })
  assert.deepEqual(blame.recordDeath([other], 0).cleared, [])
  assert.deepEqual(waitsOf(blame, [killer]), { killer: 30_000 })
})

test('a process that is ended from outside now and then, under a model that answers: nobody is left alone', () => {
  const blame = new ProcessBlame()
  for (let count = 0; count < 10; count += 1) {
    assert.deepEqual(waitsOf(blame, [{ model: 'm', answeredCount: 100 }]), {})
  }
})

test('a death is forgotten after half an hour', () => {
  const blame = new ProcessBlame()
  assert.deepEqual(waitsOf(blame, [killer], 0), {})
  assert.deepEqual(waitsOf(blame, [killer], 1_800_001), {})
  assert.deepEqual(waitsOf(blame, [killer], 1_800_002), { killer: 15_000 })
})

// A life of the process: who has not answered when it dies. Who is not left out and has had so long, has.
const ANSWERED_AFTER_MS = 4_000
const START_MS = 1_000
const lives = fc.array(fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), {
  minLength: 14,
  maxLength: 14,
})

test('a culprit is found by few deaths, and none of the others is left alone for long', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), lives, (otherCount, slowness) => {
      const blame = new ProcessBlame()
      const heldUntilMs = new Map<string, number>()
      let bornAtMs = 0
      let foundAfter = Infinity
      for (const [index, isSlow] of slowness.entries()) {
        const diesAtMs = Math.max(bornAtMs, heldUntilMs.get('m6') ?? 0) + 10
        const others = Array.from({ length: otherCount }, (_, other): DeathSuspect[] => {
          // Names before and after the culprit's.
          const model = `m${other < 6 ? other : other + 1}`
          const fromMs = Math.max(bornAtMs, heldUntilMs.get(model) ?? 0)
          if (fromMs >= diesAtMs) return []
          const hasAnswered = diesAtMs - fromMs >= ANSWERED_AFTER_MS || isSlow[other] === false
          return [{ model, answeredCount: hasAnswered ? 1 : 0 }]
        }).flat()
        const suspects = [{ model: 'm6', answeredCount: 0 }, ...others]
        const { blamed, cleared } = blame.recordDeath(suspects, diesAtMs)
        bornAtMs = diesAtMs + START_MS
        for (const model of cleared) heldUntilMs.delete(model)
        for (const { model, waitMs, otherCount: rivalCount } of blamed) {
          heldUntilMs.set(model, bornAtMs + waitMs)
          if (model !== 'm6') assert.ok(waitMs <= 8_000, `${model} is left alone for ${waitMs} ms`)
          else if (rivalCount === 0) foundAfter = Math.min(foundAfter, index + 1)
        }
      }
      const deathsMax = 6 + Math.ceil(Math.log2(otherCount + 1))
      assert.ok(foundAfter <= deathsMax, `found after ${foundAfter} deaths`)
    }),
  )
})
