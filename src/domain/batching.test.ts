import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { predictBatchMs } from './batch-cost.ts'
import type { BatchCost } from './batch-cost.ts'
import { decideBatch } from './batching.ts'
import type { WaitingItem } from './batching.ts'

const COST: BatchCost = { fixedMs: 3, perRowMs: 1, inflation: 1 }
const LIMITS = { rowsMax: 8, itemsMax: 8 }

function item(deadlineAtMs: number, given: Partial<WaitingItem> = {}): WaitingItem {
  return { enqueuedAtMs: 0, deadlineAtMs, rowCount: 1, shapeKey: 's', ...given }
}

const CASES = [
  { given: 'nothing waits', waiting: [], take: [], shed: [] },
  { given: 'all fit', waiting: [item(50), item(60)], take: [0, 1], shed: [] },
  { given: 'deadlines not in order', waiting: [item(60), item(50)], take: [1, 0], shed: [] },
  {
    given: 'more than the batch holds: the earliest deadlines go',
    waiting: [90, 10, 80, 20, 70, 30, 60, 40, 50].map((deadlineAtMs) => item(deadlineAtMs + 20)),
    take: [1, 3, 5, 7, 8, 6, 4, 2],
    shed: [],
  },
  {
    given: 'one is late whatever happens',
    waiting: [item(3.9), item(50)],
    take: [1],
    shed: [{ index: 0, reason: 'too-late' }],
  },
  {
    given: 'only late ones',
    waiting: [item(1), item(2)],
    take: [],
    shed: [
      { index: 0, reason: 'too-late' },
      { index: 1, reason: 'too-late' },
    ],
  },
  {
    given: 'the deadline cuts the batch',
    waiting: [item(5), item(5), item(5)],
    take: [0, 1],
    shed: [],
  },
  {
    given: 'a head that would force a batch of one is passed over',
    waiting: [item(4), item(40), item(40), item(40)],
    take: [1, 2, 3],
    shed: [{ index: 0, reason: 'passed-over' }],
  },
  {
    given: 'a head that costs the batch little is served',
    waiting: [item(10), ...Array.from({ length: 8 }, () => item(40))],
    take: [0, 1, 2, 3, 4, 5, 6],
    shed: [],
  },
  {
    given: 'another shape waits for the next batch',
    waiting: [
      item(50, { shapeKey: 'a' }),
      item(60, { shapeKey: 'b' }),
      item(70, { shapeKey: 'a' }),
    ],
    take: [0, 2],
    shed: [],
  },
  {
    given: 'another shape that would fill a batch does not overtake',
    waiting: [item(50, { shapeKey: 'a' }), ...Array.from({ length: 8 }, () => item(60))],
    take: [0],
    shed: [],
  },
  {
    given: 'more rows than a batch may have run alone',
    waiting: [item(100, { rowCount: 20 }), item(100)],
    take: [0],
    shed: [],
  },
  { given: 'no deadlines', waiting: [item(Infinity), item(Infinity)], take: [0, 1], shed: [] },
] as const satisfies readonly {
  given: string
  waiting: readonly WaitingItem[]
  [key: string]: unknown
}[]

for (const { given, waiting, take, shed } of CASES) {
  test(`decideBatch: ${given}`, () => {
    assert.deepEqual(decideBatch(waiting, COST, LIMITS, 0), { take, shed })
  })
}

test('a model that cannot batch gets one invocation, that of the earliest deadline', () => {
  const waiting = [item(90), item(30), item(60)]
  assert.deepEqual(decideBatch(waiting, COST, { rowsMax: 64, itemsMax: 1 }, 0).take, [1])
})

const anyItem = fc.record({
  enqueuedAtMs: fc.integer({ min: -50, max: 0 }),
  deadlineAtMs: fc.oneof(fc.integer({ min: -5, max: 80 }), fc.constant(Infinity)),
  rowCount: fc.integer({ min: 1, max: 12 }),
  shapeKey: fc.constantFrom('a', 'b'),
})
const anyCost = fc.record({
  fixedMs: fc.double({ min: 0, max: 10, noNaN: true }),
  perRowMs: fc.double({ min: 0, max: 3, noNaN: true }),
  inflation: fc.double({ min: 1, max: 2, noNaN: true }),
})
const anyLimits = fc.record({
  rowsMax: fc.integer({ min: 1, max: 32 }),
  itemsMax: fc.integer({ min: 1, max: 32 }),
})

test('property: a decision is possible, in time, of one shape, and keeps the worker busy', () => {
  fc.assert(
    fc.property(
      fc.array(anyItem, { maxLength: 40 }),
      anyCost,
      anyLimits,
      (waiting, cost, limits) => {
        const { take, shed } = decideBatch(waiting, cost, limits, 0)
        const named = [...take, ...shed.map(({ index }) => index)]
        assert.equal(new Set(named).size, named.length, 'an item has one fate')
        const taken = take.flatMap((index) => waiting[index] ?? [])
        assert.equal(taken.length, take.length)
        assert.ok(new Set(taken.map(({ shapeKey }) => shapeKey)).size <= 1)
        const rowCount = taken.reduce((sum, { rowCount: rows }) => sum + rows, 0)
        assert.ok(taken.length <= limits.itemsMax)
        assert.ok(rowCount <= limits.rowsMax || taken.length === 1)
        const endMs = taken.length === 0 ? 0 : predictBatchMs(cost, rowCount)
        for (const { deadlineAtMs } of taken) assert.ok(endMs <= deadlineAtMs)
        const isFeasibleAt = (startMs: number, index: number): boolean => {
          const { rowCount: rows = 0, deadlineAtMs = 0 } = waiting[index] ?? {}
          return startMs + predictBatchMs(cost, rows) <= deadlineAtMs
        }
        for (const { index, reason } of shed) {
          assert.equal(isFeasibleAt(reason === 'too-late' ? 0 : endMs, index), false)
        }
        const isAnyFeasible = waiting.some((_item, index) => isFeasibleAt(0, index))
        assert.equal(taken.length > 0, isAnyFeasible, 'work conserving')
      },
    ),
    { numRuns: 2_000 },
  )
})

test('property: a later common deadline and room for more never make the batch smaller', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 40 }),
      (count, deadlineAtMs, extraMs) => {
        const waitUntil = (untilMs: number) => Array.from({ length: count }, () => item(untilMs))
        const { take } = decideBatch(waitUntil(deadlineAtMs), COST, LIMITS, 0)
        const { take: later } = decideBatch(waitUntil(deadlineAtMs + extraMs), COST, LIMITS, 0)
        assert.ok(later.length >= take.length)
        const roomier = { rowsMax: LIMITS.rowsMax + 4, itemsMax: LIMITS.itemsMax + 4 }
        const { take: larger } = decideBatch(waitUntil(deadlineAtMs), COST, roomier, 0)
        assert.ok(larger.length >= take.length)
      },
    ),
    { numRuns: 500 },
  )
})

// The load of the reference's simulation, made smaller: one worker, Poisson arrivals at 1.3× its capacity.
test('past capacity most of what the worker can do is still answered in time', () => {
  const cost = { fixedMs: 2.6, perRowMs: 0.575, inflation: 1 }
  const limits = { rowsMax: 64, itemsMax: 64 }
  const capacityPerMs = 64 / predictBatchMs(cost, 64)
  const random = seededRandom(7)
  let nextArrivalMs = 0
  let nowMs = 0
  let waiting: WaitingItem[] = []
  let arrivedCount = 0
  let goodCount = 0
  while (nowMs < 5_000) {
    while (nextArrivalMs <= nowMs) {
      waiting.push(item(nextArrivalMs + 30, { enqueuedAtMs: nextArrivalMs }))
      arrivedCount += 1
      nextArrivalMs -= Math.log(1 - random()) / (1.3 * capacityPerMs)
    }
    const { take, shed } = decideBatch(waiting, cost, limits, nowMs)
    if (take.length === 0) nowMs = Math.max(nowMs, nextArrivalMs)
    else nowMs += predictBatchMs(cost, take.length)
    goodCount += take.filter((index) => (waiting[index]?.deadlineAtMs ?? 0) >= nowMs).length
    const left = new Set([...take, ...shed.map(({ index }) => index)])
    waiting = waiting.filter((_item, index) => !left.has(index))
  }
  const goodput = goodCount / (5_000 * capacityPerMs)
  assert.ok(arrivedCount > 1.2 * 5_000 * capacityPerMs)
  assert.ok(goodput > 0.6, `goodput is ${goodput.toFixed(2)} of capacity`)
})

function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}
