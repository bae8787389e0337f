import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Quarantine } from './quarantine.ts'

test('a model that cannot be loaded waits longer each time, and is well after a success', () => {
  const quarantine = new Quarantine<string>()
  const waits = [0, 1, 2].map(() => {
    const { backOff } = quarantine.recordFailure('m', { kind: 'broken', reason: 'no graph' }, 0)
    return backOff.notBeforeMs
  })
  assert.deepEqual(waits, [1_000, 2_000, 4_000])
  assert.equal(quarantine.find('m', 3_999)?.reason, 'no graph')
  assert.equal(quarantine.find('m', 4_000), undefined)
  quarantine.recordSuccess('m')
  assert.equal(quarantine.find('m', 1), undefined)
})

test('what is missing is asked for again within a second, however often it was missing', () => {
  const quarantine = new Quarantine<string>()
  for (let count = 0; count < 20; count += 1) {
    quarantine.recordFailure('m', { kind: 'missing', reason: 'no object' }, 0)
  }
  assert.equal(quarantine.find('m', 1_000), undefined)
})

test('a wait in which nothing could be tried passes anew; one that began before goes on', () => {
  const quarantine = new Quarantine<string>()
  quarantine.recordFailure('before', { kind: 'broken', reason: 'no graph' }, 0)
  const backOff = { failureCount: 2, failedAtMs: 500, notBeforeMs: 1_500 }
  quarantine.hold('m', { kind: 'deadly', reason: 'its process ended', backOff })
  quarantine.beginAgain(500, 9_000)
  assert.equal(quarantine.find('m', 9_999)?.reason, 'its process ended')
  assert.equal(quarantine.find('m', 10_000), undefined)
  assert.equal(quarantine.find('before', 1_000), undefined)
})
