import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulateModels } from '../../../test/support/simulated-models.ts'

// The setting of the algorithms reference §2.3.
const SETTING = {
  instanceCount: 8,
  workerCount: 2,
  modelCount: 1_000,
  cacheShare: 0.15,
  zipf: 0.9,
  load: 0.75,
  requestCount: 60_000,
} as const

const SEEDS = [11, 777, 4_242]
const ONE_MODEL_SHARE = 0.06

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor(share * sorted.length)] ?? Infinity

for (const seed of SEEDS) {
  test(`1,000 models, room for 15 %, Zipf 0.9, load 0.75: p99 within 30 ms, where hash and LRU are far off (seed ${seed})`, () => {
    const chosen = simulateModels({ ...SETTING, seed, policy: 'gdsf', routing: 'expected' })
    const hashed = simulateModels({ ...SETTING, seed, policy: 'lru', routing: 'hash' })
    const chosenMs = percentile(chosen.latencies, 0.99)
    const hashedMs = percentile(hashed.latencies, 0.99)
    assert.ok(chosenMs <= 30, `p99 ${chosenMs} ms; LRU with hash routing ${hashedMs} ms`)
    assert.ok(hashedMs > 10 * chosenMs, `p99 ${chosenMs} ms; LRU with hash routing ${hashedMs} ms`)
  })

  test(`where room is scarce, weighing what a reload costs adds less latency than LRU, within the memory (seed ${seed})`, () => {
    const scarce = { ...SETTING, seed, cacheShare: 0.1, load: 0.5, routing: 'expected' } as const
    const weighed = simulateModels({ ...scarce, policy: 'gdsf' })
    const lru = simulateModels({ ...scarce, policy: 'lru' })
    assert.ok(weighed.evictionCount > 1_000, `only ${weighed.evictionCount} evictions`)
    assert.ok(weighed.addedMs < lru.addedMs, `added ${weighed.addedMs} ms; LRU ${lru.addedMs} ms`)
    // What a load will take is not known before it: the memory may be exceeded by as much as one model.
    assert.ok(weighed.memoryShareMax < 1 + ONE_MODEL_SHARE, `${weighed.memoryShareMax} of it`)
  })
}
