import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BodyBudget } from '../body-budget.ts'
import { RequestBody } from './request-body.ts'

function bounds(bytesMax = 1_000_000) {
  const budget = new BodyBudget(bytesMax)
  return { budget, limits: { bodyBytesMax: 500_000, bodyTimeoutMs: 1, budget: budget.of('e') } }
}

test('a body that is there in one piece is not copied', async () => {
  const { budget, limits } = bounds()
  const bytes = Buffer.from('hellonext')
  const body = new RequestBody(5)
  assert.equal(body.take(bytes)?.toString(), 'next')
  const held = await body.receive(limits)
  assert.equal(held.bytes.toString(), 'hello')
  assert.equal(held.bytes.buffer, bytes.buffer)
  assert.equal(budget.heldBytes, 5)
  held[Symbol.dispose]()
  assert.equal(budget.heldBytes, 0)
})

test('a body in many pieces is put together, whenever it is asked for', async () => {
  const whole = Buffer.from(Array.from({ length: 100_000 }, (_, k) => k % 251))
  for (const askedAfter of [0, 1, 7, 50, 100]) {
    const { budget, limits } = bounds()
    const body = new RequestBody(whole.length)
    let received = askedAfter === 0 ? body.receive(limits) : undefined
    for (let count = 1; count <= 100; count++) {
      const rest = body.take(whole.subarray((count - 1) * 1_000, count * 1_000))
      assert.equal(rest, undefined)
      if (count === askedAfter) received = body.receive(limits)
    }
    assert.equal(body.isWhole, true)
    using held = await received
    assert.ok(held?.bytes.equals(whole))
    assert.equal(budget.heldBytes, whole.length)
  }
})

test('an announcement alone takes no memory', () => {
  const { budget, limits } = bounds()
  const before = process.memoryUsage().arrayBuffers
  const bodies = Array.from({ length: 1_000 }, () => new RequestBody(400_000))
  for (const body of bodies) {
    body.take(Buffer.from('x'))
    void body.receive(limits)
  }
  assert.equal(budget.heldBytes, 1_000)
  assert.ok(process.memoryUsage().arrayBuffers - before < 10_000_000)
})

test('a body that breaks off fails whoever waits, and gives its bytes back', async () => {
  const { budget, limits } = bounds()
  const body = new RequestBody(10)
  body.take(Buffer.from('12345'))
  const received = body.receive(limits)
  body.fail(new Error('gone'))
  await assert.rejects(async () => await received, /gone/)
  assert.equal(budget.heldBytes, 0)
  body.take(Buffer.from('67890next'))
  assert.equal(body.droppedBytes, 5)
  assert.equal(budget.heldBytes, 0)
})

test('a body past the budget fails at the piece that goes past it', async () => {
  const { budget, limits } = bounds(8)
  const body = new RequestBody(10)
  const received = body.receive(limits)
  body.take(Buffer.from('12345'))
  body.take(Buffer.from('67890'))
  await assert.rejects(async () => await received, { code: 'ServiceUnavailable' })
  assert.equal(budget.heldBytes, 0)
})
