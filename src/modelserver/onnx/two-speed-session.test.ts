import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NamedTensor } from '../codecs/tensor.ts'
import type { Session } from './session.ts'
import { createTurn, takeTurn } from './turn.ts'
import { TwoSpeedSession } from './two-speed-session.ts'

/** A session that answers with its name, each run when it is told to. */
class NamedSession implements Session {
  readonly signature = { inputs: [], outputs: [] }
  isClosed = false
  readonly held: (() => void)[] = []
  readonly #name: string
  readonly #isHolding: boolean

  constructor(name: string, isHolding = false) {
    this.#name = name
    this.#isHolding = isHolding
  }

  async run(): Promise<readonly NamedTensor[]> {
    assert.equal(this.isClosed, false, 'a closed session was run')
    if (this.#isHolding) await new Promise<void>((resolve) => this.held.push(resolve))
    return rows(1, this.#name)
  }

  close(): Promise<void> {
    this.isClosed = true
    return Promise.resolve()
  }
}

function rows(count: number, name = 'input'): readonly NamedTensor[] {
  return [{ name, type: 'float32', dims: [count, 1], elements: new Float32Array(count) }]
}

function start({ isHolding = false } = {}) {
  let nowMs = 0
  const first = new NamedSession('first', isHolding)
  const second = new NamedSession('second')
  const turn = createTurn()
  const changes: unknown[] = []
  const changed = Promise.withResolvers<void>()
  let createSecond = (): Promise<Session> => Promise.resolve(second)
  const session = new TwoSpeedSession({
    first,
    createSecond: () => createSecond(),
    turn,
    nowMs: () => nowMs,
    onChanged: (change) => {
      changes.push(change)
      changed.resolve()
    },
  })
  const who = async (count = 1): Promise<string | undefined> =>
    (await session.run(rows(count)))[0]?.name
  const failSecond = (error: Error): void => {
    createSecond = () => Promise.reject(error)
  }
  /** Lets time pass; it is looked at when it has. */
  const pass = (ms: number): boolean => {
    nowMs += ms
    return session.look()
  }
  return { pass, first, second, session, turn, changes, changed: changed.promise, who, failSecond }
}

test('at rest it changes to the second session, and the first is closed', async () => {
  const { pass, first, who, changed } = start()
  assert.equal(await who(), 'first')
  pass(250)
  await changed
  assert.equal(await who(), 'second')
  assert.equal(first.isClosed, true)
})

test('in use it stays, until many batches have shown that it is worth it', async () => {
  const { pass, who, changes, changed } = start()
  for (let run = 0; run < 31; run += 1) {
    await who(8)
    pass(50)
  }
  assert.deepEqual(changes, [])
  await who(8)
  pass(100)
  await changed
  assert.equal(await who(), 'second')
})

test('runs of one row do not count as batches', async () => {
  const { pass, who, changes } = start()
  for (let run = 0; run < 100; run += 1) {
    await who(1)
    pass(50)
  }
  assert.deepEqual(changes, [])
})

test('while another worker has the turn it waits', async () => {
  const { pass, turn, changes, changed } = start()
  const giveBack = takeTurn(turn, 0)
  pass(1000)
  assert.deepEqual(changes, [])
  giveBack?.()
  pass(100)
  await changed
  assert.equal(changes.length, 1)
})

test('a run that began on the first session ends on it before that is closed', async () => {
  const { pass, first, session, who, changed } = start({ isHolding: true })
  const early = Array.from({ length: 33 }, () => session.run(rows(8)))
  pass(100)
  await changed
  assert.equal(await who(), 'second')
  assert.equal(first.isClosed, false)
  for (const release of first.held) release()
  for (const [output] of await Promise.all(early)) assert.equal(output?.name, 'first')
  assert.equal(first.isClosed, true)
})

test('a second session that cannot be made leaves the first in place', async () => {
  const { pass, who, changes, changed, failSecond } = start()
  const error = new Error('no memory')
  failSecond(error)
  pass(250)
  await changed
  assert.deepEqual(changes, [{ error }])
  assert.equal(await who(), 'first')
})
