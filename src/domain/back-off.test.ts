import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { afterFailure, backOffDelayMs } from './back-off.ts'
import type { BackOff } from './back-off.ts'

const POLICY = { freeCount: 1, firstDelayMs: 1_000, delayMsMax: 60_000 }

test('the first failure is retried at once, later ones ever later up to the maximum', () => {
  const waitsMs: number[] = []
  let backOff: BackOff | undefined
  for (let nowMs = 0; waitsMs.length < 9; nowMs += 100_000) {
    backOff = afterFailure(backOff, nowMs, POLICY)
    waitsMs.push(backOff.notBeforeMs - nowMs)
  }
  assert.deepEqual(waitsMs, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

test('delays never shrink with more failures and stay within the maximum', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), (failureCount) => {
      const delayMs = backOffDelayMs(failureCount, POLICY)
      assert.ok(delayMs >= 0 && delayMs <= POLICY.delayMsMax)
      assert.ok(backOffDelayMs(failureCount + 1, POLICY) >= delayMs)
    }),
  )
})
