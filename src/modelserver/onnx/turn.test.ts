import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurn, takeTurn } from './turn.ts'

test('one has the turn at a time', () => {
  const memory = createTurn()
  const giveBack = takeTurn(memory, 1000)
  assert.ok(giveBack)
  assert.equal(takeTurn(memory, 1001), undefined)
  giveBack()
  assert.ok(takeTurn(memory, 1002))
})

test('a turn that was never given back ends by itself, and its owner cannot end the next one', () => {
  const memory = createTurn()
  const giveBackLate = takeTurn(memory, 1000)
  assert.equal(takeTurn(memory, 1119), undefined)
  assert.ok(takeTurn(memory, 1120))
  giveBackLate?.()
  assert.equal(takeTurn(memory, 1121), undefined)
})
