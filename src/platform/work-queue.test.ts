import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from './log.ts'
import { ManualClock } from './manual-clock.ts'
import { WorkQueue } from './work-queue.ts'
import type { WorkQueueOptions } from './work-queue.ts'

function open(options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock()
  const runs: string[] = []
  const queue = new WorkQueue({
    name: 'test',
    reconcile: (key) => {
      runs.push(`${key}@${clock.nowMs()}`)
      return Promise.resolve(undefined)
    },
    listKeys: () => Promise.resolve([]),
    resyncIntervalMs: 30_000,
    clock,
    log: silentLog,
    ...options,
  })
  return { clock, runs, queue, [Symbol.asyncDispose]: () => queue.stop() }
}

test('a key added many times before it runs, runs once', async () => {
  await using world = open()
  for (let i = 0; i < 10; i += 1) world.queue.add('a')
  world.queue.start()
  await world.clock.advance(0)
  assert.deepEqual(world.runs, ['a@0'])
})

test('a key added while it is in flight runs once more, never twice at a time', async () => {
  const gate = Promise.withResolvers<void>()
  let running = 0
  let runCount = 0
  await using world = open({
    reconcile: async () => {
      running += 1
      assert.equal(running, 1)
      runCount += 1
      await gate.promise
      running -= 1
      return undefined
    },
  })
  world.queue.start()
  world.queue.add('a')
  await world.clock.advance(0)
  world.queue.add('a')
  world.queue.add('a')
  gate.resolve()
  await world.clock.advance(0)
  assert.equal(runCount, 2)
})

test('a plan that asks to be looked at again is, at that time and not before', async () => {
  const times: number[] = []
  await using world = open({
    reconcile: () => {
      times.push(world.clock.nowMs())
      return Promise.resolve(times.length < 3 ? 250 : undefined)
    },
  })
  world.queue.start()
  world.queue.add('a')
  await world.clock.advance(2_000)
  assert.deepEqual(times, [0, 250, 500])
})

test('the earliest of several due times wins', async () => {
  await using world = open()
  world.queue.start()
  world.queue.addAfter('a', 500)
  world.queue.addAfter('a', 100)
  world.queue.addAfter('a', 900)
  await world.clock.advance(1_000)
  assert.deepEqual(world.runs, ['a@100'])
})

test('a failing key backs off, others go on, and success forgets the failures', async () => {
  const times: number[] = []
  await using world = open({
    reconcile: (key) => {
      if (key !== 'bad') return Promise.resolve(undefined)
      times.push(world.clock.nowMs())
      return times.length < 4
        ? Promise.reject(new Error('disk on fire'))
        : Promise.resolve(undefined)
    },
  })
  world.queue.start()
  world.queue.add('bad')
  world.queue.add('good')
  await world.clock.advance(5_000)
  assert.deepEqual(times, [0, 100, 300, 700])
  assert.deepEqual(world.queue.stats(), {
    runCount: 5,
    failureCount: 3,
    waitingCount: 0,
    delayedCount: 0,
    failingCount: 0,
  })
})

test('every key comes back with the resync, a failed listing notwithstanding', async () => {
  let listings = 0
  await using world = open({
    listKeys: () => {
      listings += 1
      return listings === 2 ? Promise.reject(new Error('no')) : Promise.resolve(['a', 'b'])
    },
  })
  world.queue.start()
  await world.clock.advance(60_000)
  assert.deepEqual(world.runs, ['a@0', 'b@0', 'a@60000', 'b@60000'])
})

test('stop waits for the key in flight and starts no other', async () => {
  const gate = Promise.withResolvers<void>()
  const keys: string[] = []
  const world = open({
    reconcile: async (key) => {
      keys.push(key)
      await gate.promise
      return undefined
    },
  })
  world.queue.start()
  world.queue.add('a')
  world.queue.add('b')
  await world.clock.advance(0)
  let isStopped = false
  const stopped = world.queue.stop().then(() => (isStopped = true))
  await world.clock.advance(0)
  assert.equal(isStopped, false)
  gate.resolve()
  await stopped
  assert.deepEqual(keys, ['a'])
  assert.equal(world.clock.sleeperCount, 0)
})
