import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DiskLedger } from './disk-ledger.ts'

const NOW_MS = 1_000_000
const none = (): boolean => false

test('what is unpacked counts, and files count once however often they are measured', () => {
  const ledger = new DiskLedger(100)
  ledger.recordIncoming(60)
  assert.equal(ledger.hasRoomFor(40), true)
  assert.equal(ledger.hasRoomFor(41), false)
  ledger.recordIncoming(-60)
  ledger.recordFiles('a', { bytes: 70, fetchMs: 10 }, NOW_MS)
  ledger.recordFiles('a', { bytes: 80, fetchMs: 10 }, NOW_MS)
  assert.equal(ledger.bytes, 80)
})

test('what is large, quick to fetch and unused goes first; what is held stays', () => {
  const ledger = new DiskLedger(1_000)
  ledger.recordFiles('used', { bytes: 100, fetchMs: 10 }, NOW_MS)
  ledger.recordFiles('slow', { bytes: 100, fetchMs: 1_000 }, NOW_MS)
  ledger.recordFiles('large', { bytes: 700, fetchMs: 10 }, NOW_MS)
  for (const hash of ['used', 'slow', 'large']) ledger.recordUse(hash, 1, NOW_MS)
  ledger.recordUse('used', 5, NOW_MS)
  assert.equal(ledger.chooseVictim(none, NOW_MS), 'large')
  assert.equal(
    ledger.chooseVictim((hash) => hash === 'large', NOW_MS),
    'used',
  )
  assert.equal(
    ledger.chooseVictim(() => true, NOW_MS),
    undefined,
  )
})

test('the sum is that of what is there, whatever comes and goes', () => {
  const step = fc.record({ hash: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.nat(50) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ledger = new DiskLedger(100)
      const there = new Map<string, number>()
      steps.forEach(({ hash, bytes }, index) => {
        const nowMs = NOW_MS + index
        while (!ledger.hasRoomFor(bytes)) {
          const victim = ledger.chooseVictim(none, nowMs)
          assert.ok(victim !== undefined && there.delete(victim))
          ledger.recordRemoval(victim, nowMs)
        }
        ledger.recordFiles(hash, { bytes, fetchMs: bytes }, nowMs)
        ledger.recordUse(hash, 1, nowMs)
        there.set(hash, bytes)
        assert.equal(
          ledger.bytes,
          [...there.values()].reduce((sum, each) => sum + each, 0),
        )
      })
    }),
  )
})
