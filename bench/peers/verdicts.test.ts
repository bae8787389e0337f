import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sample } from './measure.ts'
import { judge, type Series, TARGETS } from './verdicts.ts'

const small = (contestantId: string, perSecond: readonly number[]): Series => ({
  contestantId,
  model: 'small',
  connectionCount: 64,
  samples: perSecond.map((value) => sample({ perSecond: value })),
})

for (const [given, berth, verdict] of [
  ['less than must be reached', 13, 'miss'],
  ['what must be reached', 14, 'pass'],
  ['what is striven for', 20, 'strive'],
] as const) {
  test(`${given} is a ${verdict} for throughput`, () => {
    const [found] = judge([small('berth', [berth]), small('triton', [10])])
    assert.deepEqual([found?.target.against, found?.verdict], ['triton', verdict])
  })
}

test('for latency less is better', () => {
  const at = (contestantId: string, p50Us: number): Series => ({
    ...small(contestantId, []),
    connectionCount: 1,
    samples: [sample({ p50Us })],
  })
  assert.equal(judge([at('berth', 130), at('fastapi-1', 100)])[0]?.verdict, 'miss')
  assert.equal(judge([at('berth', 110), at('fastapi-1', 100)])[0]?.verdict, 'pass')
  assert.equal(judge([at('berth', 80), at('fastapi-1', 100)])[0]?.verdict, 'strive')
})

test('medians are compared, one bad round decides nothing, the range tells of it', () => {
  const [found] = judge([small('berth', [40, 10, 44]), small('fastapi-1', [10, 10, 11])])
  assert.equal(found?.ratio, 4)
  assert.deepEqual(found.ratioRange, [1, 4])
})

test('a peer that never ran gets no verdict', () => {
  assert.deepEqual(judge([small('berth', [40])]), [])
})

test('every target names a load that is measured', () => {
  for (const { connectionCount } of TARGETS) assert.ok([1, 16, 64].includes(connectionCount))
})

function sample(fields: Partial<Sample>): Sample {
  return { perSecond: 1, p50Us: 1, p99Us: 1, failedCount: 0, foreignShare: 0, ...fields }
}
