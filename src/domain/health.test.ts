import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  PING_POLICY,
  afterPing,
  describeHealth,
  nextPingDelayMs,
  startingHealth,
} from './health.ts'
import type { Health, PingOutcome } from './health.ts'

const OK: PingOutcome = { kind: 'answered', status: 200, bodyStart: '' }
const LOADING: PingOutcome = { kind: 'answered', status: 503, bodyStart: 'loading' }
const REFUSED: PingOutcome = { kind: 'no-answer', reason: 'connection refused' }

function healthAfter(outcomes: readonly PingOutcome[], atMs = 100): Health {
  return outcomes.reduce(
    (health, outcome) => afterPing(health, outcome, atMs, PING_POLICY),
    startingHealth(0, 480_000),
  )
}

const CASES: readonly {
  given: string
  outcomes: readonly PingOutcome[]
  atMs?: number
  verdict: Health['verdict']
}[] = [
  { given: 'no good ping yet', outcomes: [REFUSED, LOADING], verdict: 'starting' },
  { given: 'one good ping, then death', outcomes: [OK, REFUSED, OK, REFUSED], verdict: 'starting' },
  { given: 'three good pings', outcomes: [REFUSED, OK, OK, OK], verdict: 'ready' },
  {
    given: 'two misses when ready',
    outcomes: [OK, OK, OK, REFUSED, REFUSED, OK],
    verdict: 'ready',
  },
  {
    given: 'three misses when ready',
    outcomes: [OK, OK, OK, LOADING, REFUSED, LOADING],
    verdict: 'unhealthy',
  },
  { given: 'the window over', outcomes: [LOADING], atMs: 480_000, verdict: 'start-failed' },
  { given: 'the window over, but answering', outcomes: [OK], atMs: 480_001, verdict: 'starting' },
]

for (const { given, outcomes, atMs, verdict } of CASES) {
  test(`${given}: ${verdict}`, () => assert.equal(healthAfter(outcomes, atMs).verdict, verdict))
}

test('a failed start says which answer came last', () => {
  assert.equal(
    describeHealth(healthAfter([LOADING], 480_000)),
    'did not answer GET /ping with 200 within 480 s: last answer 503 "loading"',
  )
})

test('an unhealthy instance says how often it missed and how', () => {
  assert.equal(
    describeHealth(healthAfter([OK, OK, OK, REFUSED, REFUSED, REFUSED])),
    'did not answer GET /ping with 200 3 times in a row: no answer (connection refused)',
  )
})

test('pings are quick at first, never more than a second apart while starting, then every five', () => {
  const delays = [0, 100, 1_000, 20_000].map((nowMs) =>
    nextPingDelayMs(startingHealth(0, 480_000), nowMs, PING_POLICY),
  )
  assert.deepEqual(delays, [20, 20, 100, 1_000])
  assert.equal(nextPingDelayMs(healthAfter([OK, OK, OK]), 1_000, PING_POLICY), 5_000)
})

test('whatever the pings say, a verdict that ends an instance stays', () => {
  const outcome = fc.constantFrom(OK, LOADING, REFUSED)
  fc.assert(
    fc.property(fc.array(outcome), fc.array(outcome), (first, second) => {
      const before = healthAfter(first, 480_000)
      const after = second.reduce((h, o) => afterPing(h, o, 480_000, PING_POLICY), before)
      if (before.verdict === 'unhealthy' || before.verdict === 'start-failed') {
        assert.equal(after.verdict, before.verdict)
      }
    }),
  )
})
