import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decideAdmission } from './admission.ts'
import { ServiceTime } from './service-time.ts'

test('nothing answered yet: nothing predicted', () => {
  assert.equal(new ServiceTime().predictMs(63), 0)
})

const SHAPES = [
  { given: 'one after another', tookMs: (ahead: number) => 20 * (ahead + 1) },
  { given: 'all at once', tookMs: () => 20 },
  { given: 'batches', tookMs: (ahead: number) => 4 + ahead },
] as const
for (const { given, tookMs } of SHAPES) {
  test(`learns an instance that works ${given}`, () => {
    const service = new ServiceTime()
    for (let index = 0; index < 300; index += 1) service.record(index % 10, tookMs(index % 10))
    for (const ahead of [0, 5, 9]) {
      const predictedMs = service.predictMs(ahead)
      assert.ok(predictedMs >= tookMs(ahead) * 0.95, `${predictedMs} for ${ahead}`)
      assert.ok(predictedMs <= tookMs(ahead) * 1.3, `${predictedMs} for ${ahead}`)
    }
  })
}

interface Server {
  /** When an invocation that arrives now would be finished. */
  finishMs(nowMs: number): number
}

// `threadCount` workers, each invocation `serviceMs` on one of them, in order of arrival.
function threads(threadCount: number, serviceMs: () => number): Server {
  const freeAtMs = Array.from({ length: threadCount }, () => 0)
  return {
    finishMs: (nowMs) => {
      const index = freeAtMs.indexOf(Math.min(...freeAtMs))
      const endMs = Math.max(nowMs, freeAtMs[index] ?? 0) + serviceMs()
      freeAtMs[index] = endMs
      return endMs
    },
  }
}

interface Run {
  readonly server: Server
  readonly random: () => number
  readonly usefulMs: number
  readonly ratePerMs: (nowMs: number) => number
  readonly untilMs: number
  readonly isShedding?: boolean
}

// One instance behind the gateway's decision, in simulated time.
function simulate({ server, random, usefulMs, ratePerMs, untilMs, isShedding = true }: Run) {
  const service = new ServiceTime()
  const answers: { arrivedAtMs: number; tookMs: number }[] = []
  let outstanding: { atMs: number; endMs: number; aheadCount: number }[] = []
  let probedAtMs = 0
  let rejectedCount = 0
  let nowMs = 0
  while (nowMs < untilMs) {
    nowMs -= Math.log(1 - random()) / ratePerMs(nowMs)
    const ended = outstanding.filter(({ endMs }) => endMs <= nowMs)
    outstanding = outstanding.filter(({ endMs }) => endMs > nowMs)
    for (const { atMs, endMs, aheadCount } of ended.toSorted((a, b) => a.endMs - b.endMs)) {
      service.record(aheadCount, endMs - atMs)
      answers.push({ arrivedAtMs: atMs, tookMs: endMs - atMs })
    }
    const aheadCount = outstanding.length
    const load = { outstandingCount: aheadCount, slotCount: 1_000, suspectUntilMs: 0 }
    const isProbe = nowMs - probedAtMs > 8 * usefulMs
    const verdict = decideAdmission(
      [{ instanceId: 'a', service, ...load }],
      { waitingCount: 0, waitingMax: 0 },
      {
        strategy: 'RANDOM',
        nowMs,
        usefulMs: isShedding ? usefulMs : Infinity,
        isProbe,
      },
      0,
    )
    if (verdict.kind === 'admitted') {
      outstanding.push({ atMs: nowMs, endMs: server.finishMs(nowMs), aheadCount })
      if (service.predictMs(aheadCount) > usefulMs) probedAtMs = nowMs
    } else rejectedCount += 1
  }
  const good = answers.filter(({ tookMs }) => tookMs <= usefulMs)
  return { goodPerMs: good.length / untilMs, rejectedCount, answers, good }
}

function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

const SERVERS = [
  { given: 'one thread, 10 ms each', threadCount: 1, serviceMs: () => 10 },
  { given: 'four threads, 40 ms each', threadCount: 4, serviceMs: () => 40 },
  { given: 'one thread, 2 to 18 ms', threadCount: 1, serviceMs: (r: number) => 2 + 16 * r },
] as const
for (const { given, threadCount, serviceMs } of SERVERS) {
  for (const load of [1.3, 2, 10]) {
    test(`at ${load}× capacity most of it is answered in time: ${given}`, () => {
      const random = seededRandom(11)
      const server = threads(threadCount, () => serviceMs(random()))
      const capacityPerMs = 0.1
      const common = { random, usefulMs: 100, untilMs: 20_000 }
      const ratePerMs = () => load * capacityPerMs
      const { goodPerMs } = simulate({ ...common, server, ratePerMs })
      const share = goodPerMs / capacityPerMs
      assert.ok(share >= 0.75, `goodput is ${share.toFixed(2)} of capacity`)
    })
  }

  test(`below capacity next to nothing is rejected: ${given}`, () => {
    const random = seededRandom(5)
    const server = threads(threadCount, () => serviceMs(random()))
    const run = { server, random, usefulMs: 200, untilMs: 50_000, ratePerMs: () => 0.05 }
    const { rejectedCount, answers } = simulate(run)
    assert.ok(rejectedCount <= answers.length * 0.01, `${rejectedCount} of ${answers.length}`)
  })
}

test('without shedding, nearly nothing is in time at 1.3×: what the above is for', () => {
  const random = seededRandom(11)
  const server = threads(1, () => 10)
  const run = { server, random, usefulMs: 100, untilMs: 20_000, ratePerMs: () => 0.13 }
  const { goodPerMs } = simulate({ ...run, isShedding: false })
  assert.ok(goodPerMs / 0.1 < 0.2)
})

test('when the load falls, everything is answered in time again within one objective', () => {
  const random = seededRandom(3)
  const server = threads(1, () => 10)
  const ratePerMs = (nowMs: number) => (nowMs < 10_000 ? 0.3 : 0.05)
  const { answers } = simulate({ server, random, usefulMs: 100, untilMs: 20_000, ratePerMs })
  const after = answers.filter(({ arrivedAtMs }) => arrivedAtMs > 10_100)
  assert.ok(after.length > 400)
  assert.equal(after.filter(({ tookMs }) => tookMs > 100).length, 0)
})

test('an instance believed slow after a bad minute is found to be fast again', () => {
  const random = seededRandom(9)
  // Four threads whose invocations take 30 ms, but 300 ms in the first ten seconds; useful is 50 ms.
  let nowMs = 0
  const inner = threads(4, () => (nowMs < 10_000 ? 300 : 30))
  const server: Server = {
    finishMs: (atMs) => {
      nowMs = atMs
      return inner.finishMs(atMs)
    },
  }
  const run = { server, random, usefulMs: 50, untilMs: 40_000, ratePerMs: () => 0.12 }
  const { good } = simulate(run)
  const late = good.filter(({ arrivedAtMs }) => arrivedAtMs > 25_000)
  assert.ok(late.length / 15_000 > 0.06, `${(late.length / 15_000).toFixed(3)} per ms`)
})
