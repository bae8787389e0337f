import assert from 'node:assert/strict'
import { test } from 'node:test'

import { batchers, workers } from '../../test/support/simulated-container.ts'
import type { SimulatedContainer } from '../../test/support/simulated-container.ts'
import { simulate } from '../../test/support/simulated-gateway.ts'
import type { SimulatedCall, Simulation } from '../../test/support/simulated-gateway.ts'
import { drawPauses, seededRandom } from '../../test/support/simulated-time.ts'

// Everything here is simulated time from one seed: what the admission decides, on a machine of any speed.

const OBJECTIVE_MS = 200
const WARM_MS = 2_000
const UNTIL_MS = 16_000
const SEEDS = [1, 2, 3]

interface Kind {
  readonly given: string
  readonly container: SimulatedContainer
  /** Invocations in a millisecond. */
  readonly capacity: number
}

// Log-normal would be more like it; this has the same mean as `meanMs` and a tail up to four times as long.
function uneven(meanMs: number): (random: () => number) => number {
  return (random) => meanMs * (0.5 + 2 * random() ** 3)
}

const ONE: Kind = {
  given: 'one worker, 10 ms each',
  container: workers(1, uneven(10)),
  capacity: 0.1,
}
const FOUR: Kind = {
  given: 'four workers, 40 ms each',
  container: workers(4, uneven(40)),
  capacity: 0.1,
}
const KINDS: readonly Kind[] = [
  ONE,
  FOUR,
  { given: 'two that batch at little gain', container: batchers(2, 2, 12), capacity: 2 / 12.2 },
  { given: 'one that batches at much gain', container: batchers(1, 6, 2), capacity: 0.45 },
]

function runAt(kind: Kind, load: number, given: Partial<Simulation> = {}) {
  return simulate({
    container: kind.container,
    objectiveMs: OBJECTIVE_MS,
    rate: () => load * kind.capacity,
    untilMs: UNTIL_MS,
    seed: 7,
    ...given,
  })
}

function judge(calls: readonly SimulatedCall[], objectiveMs = OBJECTIVE_MS) {
  const warm = calls.filter(({ dueAtMs }) => dueAtMs >= WARM_MS)
  const refused = warm.filter(({ isAnswered }) => !isAnswered)
  const inTime = warm.filter((call) => isInTime(call, objectiveMs))
  return {
    refused,
    refusedShare: refused.length / warm.length,
    inTimeShare: inTime.length / warm.length,
    inTimePerMs: inTime.length / (UNTIL_MS - WARM_MS),
  }
}

function isInTime({ isAnswered, dueAtMs, endedAtMs }: SimulatedCall, objectiveMs: number): boolean {
  return isAnswered && endedAtMs - dueAtMs <= objectiveMs
}

for (const kind of KINDS) {
  test(`at 0.8× capacity next to nothing is refused or late: ${kind.given}`, async () => {
    for (const seed of SEEDS) {
      const { refusedShare, inTimeShare } = judge(await runAt(kind, 0.8, { seed }))
      assert.ok(refusedShare <= 0.01, `${refusedShare} is refused with seed ${seed}`)
      assert.ok(inTimeShare >= 0.98, `${inTimeShare} is in time with seed ${seed}`)
    }
  })

  for (const load of [1.3, 2]) {
    test(`at ${load}× the capacity is used for answers in time: ${kind.given}`, async () => {
      const { inTimePerMs } = judge(await runAt(kind, load))
      const goodput = inTimePerMs / kind.capacity
      assert.ok(goodput >= 0.85, `goodput is ${goodput.toFixed(2)} of capacity`)
    })
  }

  test(`what is refused is refused when it asks, or has soon waited enough: ${kind.given}`, async () => {
    const { refused } = judge(await runAt(kind, 2))
    assert.ok(refused.length > 100)
    const atOnce = refused.filter(({ askedAtMs, endedAtMs }) => endedAtMs === askedAtMs)
    assert.ok(atOnce.length >= 0.8 * refused.length, `${atOnce.length} of ${refused.length}`)
    for (const { askedAtMs, endedAtMs } of refused) {
      assert.ok(endedAtMs - askedAtMs <= OBJECTIVE_MS / 2)
    }
  })

  test(`when the load falls everything is answered in time again at once: ${kind.given}`, async () => {
    for (const seed of SEEDS) {
      const fallAtMs = 10_000
      const rate = (nowMs: number): number => (nowMs < fallAtMs ? 2 : 0.5) * kind.capacity
      const calls = await runAt(kind, 0, { seed, rate })
      const after = calls.filter(({ dueAtMs }) => dueAtMs >= fallAtMs + OBJECTIVE_MS / 2)
      assert.ok(after.length > 200)
      assert.deepEqual(
        after.filter((call) => !isInTime(call, OBJECTIVE_MS)),
        [],
      )
    }
  })

  test(`a gateway that keeps stopping for moments refuses next to nothing: ${kind.given}`, async () => {
    const disturbance = { everyMs: 60, lengthMs: 20, untilMs: UNTIL_MS }
    for (const seed of SEEDS) {
      const gatewayPauses = drawPauses(disturbance, seededRandom(seed))
      const { refusedShare } = judge(await runAt(kind, 0.8, { gatewayPauses, seed }))
      assert.ok(refusedShare <= 0.02, `${refusedShare} is refused with seed ${seed}`)
    }
  })

  for (const where of ['containerPauses', 'gatewayPauses'] as const) {
    test(`one pause of half a second is not felt two objectives later: ${where}, ${kind.given}`, async () => {
      for (const seed of SEEDS) {
        const pause = { atMs: 10_000, lengthMs: 500 }
        const calls = await runAt(kind, 0.5, { [where]: [pause], seed })
        const endMs = pause.atMs + pause.lengthMs
        const after = calls.filter(({ dueAtMs }) => dueAtMs > endMs + 2 * OBJECTIVE_MS)
        assert.ok(after.length > 200)
        const bad = after.filter((call) => !isInTime(call, OBJECTIVE_MS))
        assert.ok(bad.length <= after.length / 100, `${bad.length} of ${after.length}`)
      }
    })
  }
}

test('with an objective that one invocation nearly takes, workers are kept busy all the same', async () => {
  const objectiveMs = 60
  const { refusedShare } = judge(await runAt(FOUR, 0.5, { objectiveMs }), objectiveMs)
  assert.ok(refusedShare <= 0.05, `${refusedShare} is refused`)
  const { inTimePerMs } = judge(await runAt(FOUR, 2, { objectiveMs }), objectiveMs)
  assert.ok(inTimePerMs >= 0.6 * FOUR.capacity, `${inTimePerMs} in time per ms`)
})

test('an instance believed slow after a bad while is found to be fast again', async () => {
  const slowness = (nowMs: number): number => (nowMs < 8_000 ? 10 : 1)
  const calls = await runAt(FOUR, 1.2, { slowness })
  const late = calls.filter(({ dueAtMs }) => dueAtMs > 11_000)
  const inTime = late.filter((call) => isInTime(call, OBJECTIVE_MS))
  const goodput = inTime.length / 5_000 / FOUR.capacity
  assert.ok(goodput >= 0.8, `goodput is ${goodput.toFixed(2)} of capacity`)
})

test('an instance that has become slow is found out within some objectives', async () => {
  for (const seed of SEEDS) {
    const slowness = (nowMs: number): number => (nowMs < 8_000 ? 1 : 3)
    const calls = await runAt(ONE, 0.8, { slowness, seed })
    const after = calls.filter(({ dueAtMs }) => dueAtMs > 8_000 + 15 * OBJECTIVE_MS)
    const answered = after.filter(({ isAnswered }) => isAnswered)
    const late = answered.filter((call) => !isInTime(call, OBJECTIVE_MS))
    assert.ok(late.length <= answered.length / 4, `${late.length} of ${answered.length} are late`)
  }
})

test('at 10× capacity it is still used for answers in time', async () => {
  const { inTimePerMs } = judge(await runAt(ONE, 10))
  const goodput = inTimePerMs / ONE.capacity
  assert.ok(goodput >= 0.85, `goodput is ${goodput.toFixed(2)} of capacity`)
})

test('without shedding nearly nothing is in time at 1.3×: what the above is for', async () => {
  const { inTimePerMs } = judge(await runAt(ONE, 1.3, { shedding: 'off' }))
  assert.ok(inTimePerMs / ONE.capacity < 0.2)
})
