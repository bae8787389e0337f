import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AHEAD_MAX, Claims, createClaimMemory } from './claims.ts'

function bothSides(): readonly [Claims, Claims] {
  const memory = createClaimMemory()
  return [new Claims(memory), new Claims(memory)]
}

test('a call is of who claims it first', () => {
  const [server, thread] = bothSides()
  const [begun, takenBack] = [server.offer(7), server.offer(8)]
  assert.ok(thread.claim(7, begun))
  assert.ok(!server.claimById(7))
  assert.ok(server.claimById(8))
  assert.ok(!thread.claim(8, takenBack))
})

test('a call that was taken back is not mistaken for the one that has its place now', () => {
  const [server, thread] = bothSides()
  const place = server.offer(1)
  assert.ok(server.claimById(1))
  assert.equal(server.offer(2), place)
  assert.ok(!thread.claim(1, place))
  assert.ok(thread.claim(2, place))
})

test('as many places as a thread may have calls', () => {
  const [server] = bothSides()
  for (let id = 1; id <= AHEAD_MAX + 1; id += 1) server.offer(id)
  assert.throws(() => server.offer(99), /A thread has 9 calls ahead/)
})
