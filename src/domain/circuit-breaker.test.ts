import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CircuitBreaker } from './circuit-breaker.ts'

test('opens after failures in a row, lets one try when the time is over, and closes when that succeeds', () => {
  const breaker = new CircuitBreaker({ failureCount: 2, openMs: 100 })
  breaker.recordFailure(0)
  breaker.recordSuccess()
  breaker.recordFailure(1)
  assert.equal(breaker.admit(1), true)
  breaker.recordFailure(2)
  assert.deepEqual([breaker.admit(3), breaker.openForMs(3)], [false, 99])
  assert.deepEqual([breaker.admit(102), breaker.admit(102)], [true, false])
  breaker.recordFailure(103)
  assert.deepEqual([breaker.admit(104), breaker.admit(203)], [false, true])
  breaker.recordSuccess()
  assert.equal(breaker.admit(204), true)
})

test('a caller that leaves while it tries gives the turn to the next', () => {
  const breaker = new CircuitBreaker({ failureCount: 1, openMs: 10 })
  breaker.recordFailure(0)
  assert.deepEqual([breaker.admit(10), breaker.admit(10)], [true, false])
  breaker.recordNothing()
  assert.equal(breaker.admit(10), true)
})
