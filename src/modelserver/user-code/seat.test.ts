import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { setImmediate as judged } from 'node:timers/promises'
import type { Reply } from '../image.ts'
import { Seat } from './seat.ts'
import type { UserWorkerListener, WorkerKind } from './user-worker.ts'

const CALL_MS_MAX = 1_000
const PARTS_UNTIL_FULL = 16

/** A seat whose worker says what the test lets it say. */
function startSeat() {
  const told: string[] = []
  let worker: UserWorkerListener | undefined
  const kind: WorkerKind = {
    name: 'test worker',
    aheadMax: 0,
    start: (listener) => {
      worker = listener
      const tell = (what: string) => () => void told.push(what)
      return {
        run: tell('run'),
        takeBack: () => false,
        interrupt: tell('interrupt'),
        kill: tell('kill'),
        pause: tell('pause'),
        resume: tell('resume'),
        close: () => Promise.resolve(),
      }
    },
  }
  const seat = new Seat({
    kind,
    callMsMax: CALL_MS_MAX,
    log: () => undefined,
    onLoaded: () => undefined,
    onRoom: () => undefined,
    onTakenBack: () => undefined,
    onLoadFailed: () => false,
    onDeath: () => undefined,
  })
  seat.start()
  const say: UserWorkerListener['onMessage'] = (...message) => worker?.onMessage(...message)
  say(0, { kind: 'loaded', model: 'm' }, Buffer.alloc(0))
  return { seat, say, told }
}

test('a stream that waits for its reader is not taken for a worker that is silent', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { seat, say, told } = startSeat()
  const replied = Promise.withResolvers<Reply>()
  const invocation = { method: 'POST', path: '/', headers: {}, body: Buffer.alloc(0) }
  const { signal } = new AbortController()
  seat.run({ ...replied, id: 1, invocation, signal })
  say(1, { kind: 'reply-start', status: 200, headers: {} }, Buffer.alloc(0))
  const part = Buffer.from('part')
  for (let count = 0; count <= PARTS_UNTIL_FULL; count += 1) say(1, { kind: 'reply-data' }, part)
  assert.ok(told.includes('pause'))
  t.mock.timers.tick(10 * CALL_MS_MAX)
  await judged()
  assert.ok(!told.includes('kill'))

  const { body } = await replied.promise
  assert.ok(!(body instanceof Uint8Array))
  await body[Symbol.asyncIterator]().next()
  assert.equal(told.at(-1), 'resume')
  t.mock.timers.tick(CALL_MS_MAX)
  await judged()
  assert.equal(told.at(-1), 'kill')
})
