import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Reply } from '../image.ts'
import { SeatPool } from './seat-pool.ts'
import type { UserWorkerListener, WorkerKind } from './user-worker.ts'

const NOTHING = Buffer.alloc(0)
const AHEAD_MAX = 2

/** A worker that begins and answers what the test says; calls are named by their paths. */
class ObedientWorker {
  readonly listener: UserWorkerListener
  /** Handed to it and not taken back, in order. */
  handed: { readonly id: number; readonly path: string }[] = []
  readonly interrupted: string[] = []
  #begunCount = 0

  constructor(listener: UserWorkerListener) {
    this.listener = listener
  }

  get paths(): readonly string[] {
    return this.handed.map(({ path }) => path)
  }

  begin(): void {
    this.#begunCount += 1
  }

  answer(): void {
    const call = this.handed.shift()
    this.#begunCount = Math.max(0, this.#begunCount - 1)
    this.listener.onMessage(call?.id ?? 0, { kind: 'reply', status: 200, headers: {} }, NOTHING)
  }

  takeBack(id: number): boolean {
    const at = this.handed.findIndex((call) => call.id === id)
    if (at < this.#begunCount) return false
    this.handed.splice(at, 1)
    return true
  }
}

/** A pool of workers that are ready, and the calls that were made of it by name. */
function startPool(workerCount: number, waitingMax = 10) {
  const workers: ObedientWorker[] = []
  const kind: WorkerKind = {
    name: 'test worker',
    aheadMax: AHEAD_MAX,
    start: (listener) => {
      const worker = new ObedientWorker(listener)
      workers.push(worker)
      queueMicrotask(() => listener.onMessage(0, { kind: 'loaded', model: 'm' }, NOTHING))
      return {
        run: (id, { path }) => void worker.handed.push({ id, path }),
        takeBack: (id) => worker.takeBack(id),
        interrupt: (id) => {
          const call = worker.handed.find((one) => one.id === id)
          worker.interrupted.push(call?.path ?? 'none')
        },
        kill: () => undefined,
        pause: () => undefined,
        resume: () => undefined,
        close: () => Promise.resolve(),
      }
    },
  }
  const pool = new SeatPool({
    kind,
    workerCount,
    waitingMax,
    callMsMax: 1_000,
    log: () => undefined,
    onStartFailure: assert.fail,
  })
  pool.start()
  const ask = (path: string, signal = new AbortController().signal): Promise<Reply> => {
    return pool.invoke({ method: 'POST', path, headers: {}, body: NOTHING }, signal)
  }
  return { workers, ask, ready: () => new Promise((resolve) => setImmediate(resolve)) }
}

/** Two workers with the calls a, c, e and b, d, f; each has begun its first. */
async function startBusyPool() {
  const { workers, ask, ready } = startPool(2)
  await ready()
  const [left, right] = workers
  assert.ok(left !== undefined && right !== undefined)
  const replies = ['a', 'b', 'c', 'd', 'e', 'f'].map((path) => ask(path))
  for (const reply of replies) reply.catch(() => undefined)
  left.begin()
  right.begin()
  assert.deepEqual(
    [left.paths, right.paths],
    [
      ['a', 'c', 'e'],
      ['b', 'd', 'f'],
    ],
  )
  return { left, right, ask, replies }
}

function stopClock(t: TestContext): (byMs: number) => void {
  let nowMs = performance.now()
  t.mock.method(performance, 'now', () => nowMs)
  return (byMs) => void (nowMs += byMs)
}

test('calls go to workers with nothing to do, then ahead of time to the one with the fewest, then wait', async (t) => {
  stopClock(t)
  const { left, right, ask } = await startBusyPool()
  void ask('g')
  assert.deepEqual(
    [left.paths, right.paths],
    [
      ['a', 'c', 'e'],
      ['b', 'd', 'f'],
    ],
  )
  left.answer()
  assert.deepEqual(left.paths, ['c', 'e', 'g'])
})

test('what lies ahead of a worker that is slow is taken back, before what came later', async (t) => {
  const pass = stopClock(t)
  const { left, right, ask } = await startBusyPool()
  pass(5)
  void ask('g')
  right.answer()
  assert.deepEqual([left.paths, right.paths], [['a'], ['d', 'f', 'c']])
  right.answer()
  assert.deepEqual(right.paths, ['f', 'c', 'e'])
})

test('nothing is handed ahead to a worker that is slow', async (t) => {
  const pass = stopClock(t)
  const { workers, ask, ready } = startPool(1)
  await ready()
  void ask('a')
  workers[0]?.begin()
  pass(5)
  void ask('b')
  assert.deepEqual(workers[0]?.paths, ['a'])
})

test('a worker with nothing to do takes from another what that has not begun', async (t) => {
  stopClock(t)
  const { left, right } = await startBusyPool()
  left.begin()
  for (const _call of ['b', 'd', 'f']) right.answer()
  assert.deepEqual([left.paths, right.paths], [['a', 'c'], ['e']])
})

test('calls ahead count as waiting: past the bound they are refused', async (t) => {
  stopClock(t)
  const { ask, ready } = startPool(1, AHEAD_MAX)
  await ready()
  for (const path of ['a', 'b', 'c']) void ask(path)
  await assert.rejects(async () => ask('d'), /All workers are busy and 2 invocations wait/)
})

test('a worker that dies takes what it had begun with it, and nothing else', async (t) => {
  stopClock(t)
  const { left, right, replies } = await startBusyPool()
  left.listener.onExit('fell')
  await assert.rejects(async () => replies[0], /The test worker fell/)
  for (let at = 0; at < 5; at += 1) right.answer()
  const statuses = await Promise.all(replies.slice(1).map(async (reply) => (await reply).status))
  assert.deepEqual(statuses, [200, 200, 200, 200, 200])
})

test('a caller that leaves: its call is taken back, or interrupted once its turn has come', async (t) => {
  stopClock(t)
  const { workers, ask, ready } = startPool(1)
  await ready()
  const [worker] = workers
  assert.ok(worker !== undefined)
  const [second, third] = [new AbortController(), new AbortController()]
  const first = ask('a')
  const left = [ask('b', second.signal), ask('c', third.signal)]
  worker.begin()
  third.abort()
  await assert.rejects(async () => left[1], /left before its call ran/)
  worker.begin()
  second.abort()
  assert.deepEqual([worker.paths, worker.interrupted], [['a', 'b'], []])
  worker.answer()
  assert.equal((await first).status, 200)
  assert.deepEqual(worker.interrupted, ['b'])
  const id = worker.handed[0]?.id ?? 0
  worker.listener.onMessage(id, { kind: 'cancelled' }, NOTHING)
  await assert.rejects(async () => left[0], /The client left/)
})
