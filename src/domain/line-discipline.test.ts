import assert from 'node:assert/strict'
import { test } from 'node:test'

import { LineDiscipline } from './line-discipline.ts'

// Useful within 1000 ms: target 250 ms, interval 500 ms, stale after 500 ms.
const USEFUL_MS = 1_000

test('a burst that drains within the interval is served first come', () => {
  const discipline = new LineDiscipline(USEFUL_MS)
  discipline.observe(undefined, 0)
  for (let nowMs = 0; nowMs <= 500; nowMs += 50) {
    assert.equal(discipline.observe(nowMs + 300, nowMs), 'first-come')
  }
})

test('a line whose longest wait stays above the target is served last come', () => {
  const discipline = new LineDiscipline(USEFUL_MS)
  discipline.observe(undefined, 0)
  discipline.observe(300, 250)
  assert.equal(discipline.observe(300, 501), 'last-come')
})

test('one short wait, or nobody who waits, ends it at once', () => {
  for (const longestWaitMs of [250, undefined]) {
    const discipline = new LineDiscipline(USEFUL_MS)
    discipline.observe(undefined, 0)
    assert.equal(discipline.observe(400, 600), 'last-come')
    assert.equal(discipline.observe(longestWaitMs, 601), 'first-come')
    assert.equal(discipline.observe(400, 1_100), 'first-come')
    assert.equal(discipline.observe(400, 1_102), 'last-come')
  }
})

test('stale is who waited longer than twice the target', () => {
  const discipline = new LineDiscipline(USEFUL_MS)
  assert.equal(discipline.isStale(500), false)
  assert.equal(discipline.isStale(501), true)
})

test('when every answer is useful, nothing is ever stale and the order stays', () => {
  const discipline = new LineDiscipline(Infinity)
  discipline.observe(undefined, 0)
  assert.equal(discipline.observe(1e9, 1e9), 'first-come')
  assert.equal(discipline.isStale(1e9), false)
})

test('targets are never below what a busy machine does anyway', () => {
  const discipline = new LineDiscipline(1)
  assert.equal(discipline.isStale(10), false)
  assert.equal(discipline.isStale(10.1), true)
})
