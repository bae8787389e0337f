import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TimerWheel } from './timer-wheel.ts'

function advance(wheel: TimerWheel, tickCount: number): void {
  for (let count = 0; count < tickCount; count++) wheel.advance()
}

test('a deadline passes after its time, at most two ticks late, and once', () => {
  const wheel = new TimerWheel(100)
  let passedCount = 0
  const timer = wheel.createTimer(() => (passedCount += 1))
  timer.set(1_000)
  advance(wheel, 10)
  assert.equal(passedCount, 0)
  advance(wheel, 1)
  assert.equal(passedCount, 1)
  advance(wheel, 100)
  assert.equal(passedCount, 1)
  assert.equal(wheel.timerCount, 0)
})

test('a timer that is disposed of leaves the wheel at once', () => {
  const wheel = new TimerWheel(100)
  const timer = wheel.createTimer(() => assert.fail('it passed'))
  timer.set(1_000)
  timer.dispose()
  assert.equal(wheel.timerCount, 0)
  advance(wheel, 20)
})

test('a timer may be set again when it passes', () => {
  const wheel = new TimerWheel(100)
  let passedCount = 0
  const timer = wheel.createTimer(() => {
    passedCount += 1
    if (passedCount < 3) timer.set(200)
  })
  timer.set(200)
  advance(wheel, 30)
  assert.equal(passedCount, 3)
})

type Step = { readonly kind: 'set'; readonly ticks: number } | { readonly kind: 'clear' | 'tick' }

test('however a deadline is moved, the timer passes exactly when the last one says', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('set' as const), ticks: fc.nat(12) }),
      fc.record({ kind: fc.constantFrom('clear' as const, 'tick' as const, 'tick' as const) }),
    ),
    { maxLength: 60 },
  )
  fc.assert(
    fc.property(steps, (given: readonly Step[]) => {
      const wheel = new TimerWheel(1)
      const passedAt: number[] = []
      const expectedAt: number[] = []
      let nowTick = 0
      let dueTick = Number.POSITIVE_INFINITY
      const timer = wheel.createTimer(() => passedAt.push(nowTick))
      for (const step of given) {
        if (step.kind === 'set') {
          dueTick = nowTick + step.ticks + 1
          timer.set(step.ticks)
        } else if (step.kind === 'clear') {
          dueTick = Number.POSITIVE_INFINITY
          timer.clear()
        } else {
          nowTick += 1
          if (dueTick === nowTick) {
            expectedAt.push(nowTick)
            dueTick = Number.POSITIVE_INFINITY
          }
          wheel.advance()
        }
      }
      assert.deepEqual(passedAt, expectedAt)
      assert.ok(wheel.timerCount <= 1)
    }),
  )
})
