import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { Turnstile } from './turnstile.ts'

const NEVER = new AbortController().signal

test('at most so many run at a time, the others in the order they came', async () => {
  const turnstile = new Turnstile(2)
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
  const started: number[] = []
  const runs = gates.map(({ promise }, index) =>
    turnstile.run(async () => {
      started.push(index)
      await promise
    }, NEVER),
  )
  await setImmediate()
  assert.deepEqual(started, [0, 1])
  gates[1]?.resolve()
  await setImmediate()
  assert.deepEqual(started, [0, 1, 2])
  for (const { resolve } of gates) resolve()
  await Promise.all(runs)
  assert.deepEqual(started, [0, 1, 2, 3])
})

test('one that gives up waiting takes no place, and a failed one gives its place back', async () => {
  const turnstile = new Turnstile(1)
  const gate = Promise.withResolvers<void>()
  const first = turnstile.run(() => gate.promise, NEVER)
  const leaving = new AbortController()
  const second = turnstile.run(() => Promise.resolve('ran'), leaving.signal)
  const third = turnstile.run(() => Promise.resolve('ran'), NEVER)
  leaving.abort(new Error('left'))
  gate.reject(new Error('failed'))
  await assert.rejects(first, /failed/)
  await assert.rejects(second, /left/)
  assert.equal(await third, 'ran')
})
