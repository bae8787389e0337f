import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decideScatter } from './decide-scatter.ts'
import { Hedging } from './hedging.ts'

const NOTHING_YET = {
  answeredCount: 0,
  failedCount: 0,
  outstandingCount: 3,
  quorum: 2,
  waitFor: 'all',
  isDecided: false,
  isDeadlinePassed: false,
} as const

for (const { given, progress, verdict } of [
  { given: 'nothing yet', progress: {}, verdict: 'wait' },
  {
    given: 'a quorum, one outstanding',
    progress: { answeredCount: 2, outstandingCount: 1 },
    verdict: 'wait',
  },
  {
    given: 'a quorum is enough',
    progress: { answeredCount: 2, outstandingCount: 1, waitFor: 'quorum' },
    verdict: 'answer',
  },
  {
    given: 'a decision',
    progress: { answeredCount: 2, outstandingCount: 1, waitFor: 'decision', isDecided: true },
    verdict: 'answer',
  },
  {
    given: 'a quorum at the deadline',
    progress: { answeredCount: 2, outstandingCount: 1, isDeadlinePassed: true },
    verdict: 'answer',
  },
  {
    given: 'too few at the deadline',
    progress: { answeredCount: 1, outstandingCount: 2, isDeadlinePassed: true },
    verdict: 'fail',
  },
  {
    given: 'a quorum out of reach',
    progress: { answeredCount: 0, failedCount: 2, outstandingCount: 1 },
    verdict: 'fail',
  },
  {
    given: 'one failed, a quorum came',
    progress: { answeredCount: 2, failedCount: 1, outstandingCount: 0 },
    verdict: 'answer',
  },
] as const) {
  test(`${given}: ${verdict}`, () => {
    assert.equal(decideScatter({ ...NOTHING_YET, ...progress }), verdict)
  })
}

test('a hedge waits for the 95th percentile, and never takes more than its budget', () => {
  const hedging = new Hedging({ afterMs: undefined, budgetPercent: 5 })
  assert.equal(hedging.decideDelayMs(), undefined)
  for (let ms = 1; ms <= 100; ms += 1) hedging.record(ms)
  assert.equal(hedging.decideDelayMs(), 95)
  let sentCount = 0
  for (let call = 0; call < 1000; call += 1) {
    hedging.decideDelayMs()
    if (hedging.claimSecondCall()) sentCount += 1
  }
  assert.ok(sentCount >= 45 && sentCount <= 52, String(sentCount))
})
