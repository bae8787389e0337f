import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'

import { Turns } from './turns.ts'

interface Started {
  readonly order: string[]
  readonly arrive: (endpointName: string, count: number) => void
}

function start(turns: Turns): Started {
  const order: string[] = []
  const arrive = (endpointName: string, count: number): void => {
    for (let index = 0; index < count; index += 1) {
      const waiting = turns.take(endpointName, 0)
      if (waiting === undefined) order.push(endpointName)
      else void waiting.then(() => order.push(endpointName))
    }
  }
  return { order, arrive }
}

test('one endpoint alone never waits', () => {
  const turns = new Turns(() => 0)
  const { order, arrive } = start(turns)
  arrive('a', 1_000)
  assert.equal(order.length, 1_000)
})

test('a flood of one endpoint does not hold up another', async () => {
  const turns = new Turns(() => 0)
  const { order, arrive } = start(turns)
  arrive('quiet', 1)
  arrive('loud', 1_000)
  arrive('quiet', 1)
  assert.equal(order.filter((name) => name === 'quiet').length, 2, 'at once')
  assert.ok(order.length < 50)
  await turn()
  const before = order.length
  arrive('quiet', 1)
  assert.equal(order[before], 'quiet', 'and ahead of those who wait, in the next turn')
  while (turns.waitingCount > 0) await turn()
  await turn()
  assert.equal(order.length, 1_003)
})

test('two floods get the same', async () => {
  const turns = new Turns(() => 0)
  const { order, arrive } = start(turns)
  arrive('a', 1)
  arrive('b', 500)
  arrive('a', 500)
  for (let count = 0; count < 10; count += 1) await turn()
  const ofA = order.filter((name) => name === 'a').length
  assert.ok(order.length > 200 && order.length < 1_001)
  assert.ok(Math.abs(order.length - 2 * ofA) <= 2, `${ofA} of ${order.length}`)
  while (turns.waitingCount > 0) await turn()
})

test('a second after the last other endpoint was seen there is nothing to share', async () => {
  let nowMs = 0
  const turns = new Turns(() => nowMs)
  const { order, arrive } = start(turns)
  arrive('a', 1)
  arrive('b', 1)
  nowMs = 1_000
  await turn()
  arrive('b', 200)
  assert.equal(order.length, 202)
})
