import assert from 'node:assert/strict'
import { test } from 'node:test'

import { compareReaders } from '../support/http-head/differential.ts'

const GENERATED_COUNT = 100_000

test('wherever the strict head reader understands a request, node reads the same one', async (t) => {
  const wanted = process.env['BERTH_TEST_SEED'] ?? '1'
  const first = wanted === 'random' ? Date.now() % 1_000_000_000 : Number(wanted)
  const disagreements: string[] = []
  const seeds = function* (): Generator<number> {
    for (let count = 0; count < GENERATED_COUNT; count++) yield first + count
  }
  const tally = await compareReaders(seeds(), (seed, what) => {
    disagreements.push(`seed ${seed}: ${what}`)
  })
  t.diagnostic(`seeds from ${first}: ${JSON.stringify(tally)}`)
  assert.deepEqual(disagreements.slice(0, 10), [])
  // A generator that has lost its way would find nothing either.
  for (const [kind, share] of Object.entries({ head: 0.3, incomplete: 0.005, handOver: 0.1 })) {
    const count = tally[kind as keyof typeof tally]
    assert.ok(count >= share * GENERATED_COUNT, `only ${count} of ${GENERATED_COUNT} are ${kind}`)
  }
})
