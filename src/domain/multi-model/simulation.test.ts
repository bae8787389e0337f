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
  requestCount: 100_000,
  seed: 6,
} as const

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.floor(share * sorted.length)] ?? Infinity

test('1,000 models, room for 15 %, Zipf 0.9, load 0.75: p99 within 30 ms, where hash and LRU are far off', () => {
  const chosen = simulateModels({ ...SETTING, policy: 'gdsf', routing: 'expected' })
  const hashed = simulateModels({ ...SETTING, policy: 'lru', routing: 'hash' })
  const chosenMs = percentile(chosen, 0.99)
  const hashedMs = percentile(hashed, 0.99)
  assert.ok(chosenMs <= 30, `p99 ${chosenMs} ms; LRU with hash routing ${hashedMs} ms`)
  assert.ok(hashedMs > 10 * chosenMs, `p99 ${chosenMs} ms; LRU with hash routing ${hashedMs} ms`)
})
