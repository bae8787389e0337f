import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { decideAdmission, decideRetry, isTimely } from './admission.ts'
import type { PredictableInstance } from './admission.ts'

const useful = { usefulMs: 100, isProbe: false } as const
const rule = { strategy: 'LEAST_OUTSTANDING_REQUESTS', nowMs: 10, ...useful } as const
// 30 ms each, one after another.
const service = { predictMs: (aheadCount: number) => 30 * (aheadCount + 1), idleMs: 30 }
const idle = { instanceId: 'a', outstandingCount: 0, slotCount: 1, suspectUntilMs: 0, service }
const full = { ...idle, outstandingCount: 1 }
const slow = { ...idle, service: { predictMs: () => 500, idleMs: 0 } }
const busy = { ...idle, outstandingCount: 3, slotCount: 8 }
const suspect = { ...idle, suspectUntilMs: 11 }

const cases: readonly {
  given: string
  instances: readonly PredictableInstance[]
  waitingCount: number
  verdict: object
}[] = [
  {
    given: 'a free slot',
    instances: [full, idle],
    waitingCount: 0,
    verdict: { kind: 'admitted', instance: idle },
  },
  {
    given: 'a free slot and somebody who waits longer',
    instances: [idle],
    waitingCount: 1,
    verdict: { kind: 'waits', unready: false },
  },
  {
    given: 'only full instances',
    instances: [full],
    waitingCount: 0,
    verdict: { kind: 'waits', unready: false },
  },
  {
    given: 'no instance',
    instances: [],
    waitingCount: 0,
    verdict: { kind: 'waits', unready: true },
  },
  {
    given: 'only suspect instances',
    instances: [suspect],
    waitingCount: 0,
    verdict: { kind: 'waits', unready: true },
  },
  {
    given: 'a full line',
    instances: [full],
    waitingCount: 2,
    verdict: { kind: 'rejected', reason: 'line-full' },
  },
  {
    given: 'an instance that has too much before it',
    instances: [busy],
    waitingCount: 0,
    verdict: { kind: 'rejected', reason: 'too-late', predictedMs: 120 },
  },
  {
    given: 'an instance that is slow, and idle',
    instances: [slow],
    waitingCount: 0,
    verdict: { kind: 'admitted', instance: slow },
  },
  {
    given: 'full instances, and too long until the last in the line is answered',
    instances: [{ ...full, service: { predictMs: () => 60, idleMs: 0 } }],
    waitingCount: 0,
    verdict: { kind: 'rejected', reason: 'too-late', predictedMs: 120 },
  },
  {
    given: 'full instances of unknown speed',
    instances: [{ ...full, service: { predictMs: () => 0, idleMs: 0 } }],
    waitingCount: 0,
    verdict: { kind: 'waits', unready: false },
  },
]
for (const { given, instances, waitingCount, verdict } of cases) {
  test(`admission: ${given}`, () => {
    assert.deepEqual(decideAdmission(instances, { waitingCount, waitingMax: 2 }, rule, 0), verdict)
  })
}

test('admission: whichever the strategy draws, an instance that is in time is preferred', () => {
  const line = { waitingCount: 0, waitingMax: 2 }
  const drawn = { ...rule, strategy: 'RANDOM' } as const
  for (const random of [0, 0.9]) {
    const verdict = decideAdmission([busy, idle], line, drawn, random)
    assert.deepEqual(verdict, { kind: 'admitted', instance: idle })
  }
})

// Four at a time, 80 ms each: one takes most of the useful time, and waiting for one of four little more.
const wide = { predictMs: (aheadCount: number) => 80 + 20 * aheadCount, idleMs: 80 }
const wideCases = [
  { given: 'a few', outstandingCount: 3, kind: 'admitted' },
  { given: 'as many as make it wait', outstandingCount: 7, kind: 'rejected' },
] as const
for (const { given, outstandingCount, kind } of wideCases) {
  test(`admission: an instance that needs most of the useful time by itself, with ${given}`, () => {
    const instance = { ...idle, service: wide, slotCount: 64, outstandingCount }
    const line = { waitingCount: 0, waitingMax: 2 }
    assert.equal(decideAdmission([instance], line, rule, 0).kind, kind)
  })
}

test('timely: what was waited counts, except for an instance with nothing to do', () => {
  const given = { ...busy, outstandingCount: 1 }
  assert.ok(isTimely(given, 100, 40))
  assert.ok(!isTimely(given, 100, 41))
  assert.ok(isTimely(idle, 100, 500))
})

test('admission: a probe is admitted though it is believed to be late, if there is a slot', () => {
  const line = { waitingCount: 0, waitingMax: 2 }
  const probe = { ...rule, isProbe: true }
  assert.equal(decideAdmission([busy], line, probe, 0).kind, 'admitted')
  const crowded = { ...full, service: slow.service }
  assert.equal(decideAdmission([crowded], line, probe, 0).kind, 'rejected')
})

test('admission: a line of no length rejects what cannot be forwarded at once', () => {
  const line = { waitingCount: 0, waitingMax: 0 }
  assert.equal(decideAdmission([full], line, rule, 0).kind, 'rejected')
  assert.equal(decideAdmission([idle], line, rule, 0).kind, 'admitted')
})

test('property: never admitted past its slots, and the line never grows past its limit', () => {
  const anyInstance = fc.record({
    instanceId: fc.string(),
    outstandingCount: fc.nat(3),
    slotCount: fc.nat(3),
    suspectUntilMs: fc.nat(20),
    service: fc.record({ ms: fc.nat(200), idleMs: fc.nat(200) }).map(({ ms, idleMs }) => ({
      predictMs: (aheadCount: number) => ms * aheadCount,
      idleMs,
    })),
  })
  fc.assert(
    fc.property(
      fc.array(anyInstance),
      fc.nat(5),
      fc.nat(5),
      (instances, waitingCount, waitingMax) => {
        const verdict = decideAdmission(instances, { waitingCount, waitingMax }, rule, 0.5)
        if (verdict.kind === 'admitted') {
          assert.ok(verdict.instance.outstandingCount < verdict.instance.slotCount)
          assert.equal(waitingCount, 0)
        } else if (verdict.kind === 'waits') assert.ok(waitingCount < waitingMax)
      },
    ),
  )
})

const retryCases = [
  { given: 'the first reset', failed: 'reset', resetCount: 1, nowMs: 9_000, verdict: 'retry' },
  { given: 'the second reset', failed: 'reset', resetCount: 2, nowMs: 0, verdict: 'model-error' },
  { given: 'a refusal at once', failed: 'refused', resetCount: 0, nowMs: 0, verdict: 'retry' },
  {
    given: 'a refusal after a reset',
    failed: 'refused',
    resetCount: 1,
    nowMs: 4_999,
    verdict: 'retry',
  },
  {
    given: 'refusals all along',
    failed: 'refused',
    resetCount: 0,
    nowMs: 5_000,
    verdict: 'unavailable',
  },
] as const
for (const { given, failed, resetCount, nowMs, verdict } of retryCases) {
  test(`retry: ${given} → ${verdict}`, () => {
    const history = { failed, resetCount, firstAttemptAtMs: 0, nowMs, unreadyWaitMs: 5_000 }
    assert.equal(decideRetry(history), verdict)
  })
}
