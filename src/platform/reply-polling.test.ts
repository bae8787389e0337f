import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ReplyPolling } from './reply-polling.ts'

const TURN_MS = 0.01

class HandMovedLoop {
  #nowMs = 0
  readonly #planned: (() => void)[] = []
  readonly polling = new ReplyPolling({
    nowMs: () => this.#nowMs,
    nextTurn: (run) => void this.#planned.push(run),
  })

  /** Sends a call that is answered in some turn from now. @returns how many turns were taken before the loop would sleep. */
  sendCall(expectedUs: number, answeredInTurn = Infinity): number {
    this.polling.begin(expectedUs)
    let count = 0
    for (; this.#planned.length > 0; count += 1) {
      this.#nowMs += TURN_MS
      if (count === answeredInTurn) this.polling.end()
      for (const run of this.#planned.splice(0)) run()
    }
    return count
  }
}

test('turns until the reply has come', () => {
  const loop = new HandMovedLoop()
  assert.equal(loop.sendCall(50, 9), 10)
  assert.equal(loop.sendCall(50, 3), 4)
})

test('sleeps when the reply is far off, or nobody knows how far', () => {
  const loop = new HandMovedLoop()
  for (const expectedUs of [201, 5_000, Infinity]) assert.equal(loop.sendCall(expectedUs, 1), 0)
})

test('gives a late reply up, and then polls more and more rarely', () => {
  const loop = new HandMovedLoop()
  const turns = Array.from({ length: 40 }, () => loop.sendCall(100))
  // The expected time and the slack of 200 µs, in turns of 10.
  for (const count of turns) assert.ok(count === 0 || (count >= 29 && count <= 31), String(count))
  const polled = turns.flatMap((count, k) => (count > 0 ? [k] : []))
  assert.deepEqual(polled, [0, 2, 5, 10, 19, 36])
})

test('tries again once in a few hundred calls, and always after a reply in time', () => {
  const loop = new HandMovedLoop()
  const late = Array.from({ length: 3_000 }, () => loop.sendCall(100) > 0)
  assert.ok(late.slice(-257).includes(true))
  while (loop.sendCall(100, 5) === 0);
  assert.deepEqual(
    [1, 2, 3].map(() => loop.sendCall(100) > 0),
    [true, false, true],
  )
})

test('polls once for all who wait', () => {
  const loop = new HandMovedLoop()
  for (let k = 0; k < 4; k += 1) loop.polling.begin(50)
  assert.equal(loop.sendCall(50, 5), 6)
})
