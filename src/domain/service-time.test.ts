import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { ServiceTime } from './service-time.ts'

test('nothing answered yet: nothing predicted', () => {
  assert.equal(new ServiceTime(1_000).predictMs(63), 0)
})

const SHAPES = [
  { given: 'one after another', tookMs: (ahead: number) => 20 * (ahead + 1) },
  { given: 'all at once', tookMs: () => 20 },
  { given: 'batches', tookMs: (ahead: number) => 4 + ahead },
] as const
for (const { given, tookMs } of SHAPES) {
  test(`learns an instance that works ${given}`, () => {
    const service = new ServiceTime(1_000)
    for (let index = 0; index < 300; index += 1) service.record(index % 10, tookMs(index % 10))
    for (const ahead of [0, 5, 9]) {
      const predictedMs = service.predictMs(ahead)
      assert.ok(predictedMs >= tookMs(ahead) * 0.95, `${predictedMs} for ${ahead}`)
      assert.ok(predictedMs <= tookMs(ahead) * 1.3, `${predictedMs} for ${ahead}`)
    }
  })
}

// One after another, 10 ms each; every so often the machine stands still for a while.
function recordPauses(service: ServiceTime, aheadMax: number): void {
  for (let index = 0; index < 2_000; index += 1) {
    const ahead = index % (aheadMax + 1)
    service.record(ahead, 10 * (ahead + 1) + (index % 15 === 0 ? 60 : 0))
  }
}

test('pauses while there is little to do are no reason to refuse when there is more', () => {
  const service = new ServiceTime(200)
  recordPauses(service, 4)
  assert.ok(service.predictMs(13) <= 200, `${service.predictMs(13)}`)
})

test('pauses near the end of the useful time are', () => {
  const service = new ServiceTime(200)
  recordPauses(service, 19)
  assert.ok(service.predictMs(17) > 200, `${service.predictMs(17)}`)
})

test('what is expected within half of the useful time is predicted to be in time, however uneven', () => {
  const service = new ServiceTime(200)
  for (let index = 0; index < 3_000; index += 1) {
    service.record(4, index % 4 === 0 ? 260 : 30)
  }
  const even = new ServiceTime(1_000)
  for (let index = 0; index < 3_000; index += 1) even.record(4, index % 4 === 0 ? 260 : 30)
  // Below half of the useful time nothing is learned of the margin: 1.1 times what is expected.
  assert.ok(service.predictMs(4) <= (2 / 1.1) * even.predictMs(4) * 1.01)
})

test('one long pause, which all that were there have felt, is forgotten by the next ones', () => {
  const service = new ServiceTime(200)
  for (let index = 0; index < 300; index += 1) service.record(index % 10, 10 * (1 + (index % 10)))
  for (let ahead = 0; ahead < 10; ahead += 1) service.record(ahead, 500 + 10 * ahead)
  for (let index = 0; index < 30; index += 1) service.record(index % 10, 10 * (1 + (index % 10)))
  assert.ok(service.predictMs(9) <= 200, `${service.predictMs(9)}`)
})

test('a lasting change is followed within some dozen answers', () => {
  const service = new ServiceTime(1_000)
  for (let index = 0; index < 300; index += 1) service.record(index % 10, 10 * (1 + (index % 10)))
  for (let index = 0; index < 100; index += 1) service.record(index % 10, 40 * (1 + (index % 10)))
  assert.ok(service.predictMs(9) >= 0.7 * 400, `${service.predictMs(9)}`)
})

test('the idle time is what invocations took that found it idle, whatever a single one took', () => {
  const service = new ServiceTime(200)
  assert.equal(service.idleMs, 0)
  service.record(3, 80)
  assert.equal(service.idleMs, 0)
  for (let index = 0; index < 100; index += 1) service.record(0, index % 20 === 0 ? 500 : 20)
  assert.ok(Math.abs(service.idleMs - 20) <= 4, `${service.idleMs}`)
})

test('the idle time is never more than is predicted now: what was seen may be long ago', () => {
  const service = new ServiceTime(200)
  for (let index = 0; index < 50; index += 1) service.record(0, 400)
  for (let index = 0; index < 300; index += 1) service.record(1 + (index % 8), 40)
  assert.ok(service.idleMs <= 60, `${service.idleMs}`)
})

test('property: whatever is recorded, predictions are finite, not negative, and never fall with what is ahead', () => {
  const anySample = fc.record({
    ahead: fc.nat(100),
    tookMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  const anyUsefulMs = fc.constantFrom(1, 200, 60_000, Infinity)
  fc.assert(
    fc.property(fc.array(anySample, { maxLength: 200 }), anyUsefulMs, (samples, usefulMs) => {
      const service = new ServiceTime(usefulMs)
      for (const { ahead, tookMs } of samples) service.record(ahead, tookMs)
      assert.ok(service.idleMs >= 0 && Number.isFinite(service.idleMs))
      let previousMs = 0
      for (const ahead of [0, 1, 10, 100, 1_000]) {
        const tookMs = service.predictMs(ahead)
        assert.ok(tookMs >= previousMs && Number.isFinite(tookMs))
        previousMs = tookMs
      }
    }),
  )
})
