import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { frameSocketPath, frameSocketSuffix } from '../../src/domain/frames-address.ts'
import type { Image } from '../../src/modelserver/image.ts'
import { startOnnxImage } from '../../src/modelserver/onnx/onnx-image.ts'
import { SpareWorker } from '../../src/modelserver/onnx/spare-worker.ts'
import { WorkerPool } from '../../src/modelserver/onnx/worker-pool.ts'
import { parseOptions } from '../../src/modelserver/options.ts'
import type { StartFailure } from '../../src/modelserver/start-failure.ts'
import { until } from '../support/until.ts'

const MODELS = join(import.meta.dirname, '../fixtures/models')
const never = new AbortController().signal

function startPool(
  t: TestContext,
  overrides: { workerCount?: number; waitingMax?: number; refuse?: 'politely' | 'rudely' } = {},
) {
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const failures: StartFailure[] = []
  const events: string[] = []
  const pool = new WorkerPool({
    workerUrl: new URL('../fixtures/workers/fragile-worker.ts', import.meta.url),
    workerDataOf: () => ({ flag, refuse: overrides.refuse }),
    workerCount: overrides.workerCount ?? 1,
    waitingMax: overrides.waitingMax ?? 10,
    log: (_level, event) => events.push(event),
    onStartFailure: (failure) => failures.push(failure),
  })
  t.after(() => {
    raiseFlag()
    return pool.close()
  })
  pool.start()
  const invoke = async (text: string, signal = never): Promise<string> => {
    const body = new Uint8Array(Buffer.from(text))
    const reply = await pool.invoke({ contentType: undefined, accept: undefined, body }, signal)
    return Buffer.from(reply.body).toString().split(':')[1] ?? ''
  }
  const raiseFlag = (): void => {
    Atomics.store(flag, 0, 1)
    Atomics.notify(flag, 0)
  }
  const loadedCount = () => events.filter((event) => event === 'model loaded').length
  const ready = (count = 1) => until(`${count} loaded models`, () => loadedCount() >= count)
  return { pool, invoke, raiseFlag, ready, failures }
}

test('a dying worker loses only its own invocation and is replaced', async (t) => {
  const { invoke, ready } = startPool(t, { workerCount: 2 })
  await ready(2)
  assert.equal(await invoke('a'), 'a')
  const died = assert.rejects(invoke('die'), {
    status: 500,
    message: /died of this invocation: as told/,
  })
  const others = Promise.all([invoke('b'), invoke('c')])
  await died
  assert.deepEqual(await others, ['b', 'c'])
  await ready(3)
  assert.equal(await invoke('d'), 'd')
})

test('with its only worker dead the pool is not ready, says why, and recovers', async (t) => {
  const { pool, invoke, ready } = startPool(t)
  await ready()
  const died = assert.rejects(invoke('die'), { status: 500 })
  const waiting = assert.rejects(invoke('behind it'), { status: 503 })
  await Promise.all([died, waiting])
  assert.match(pool.unreadiness() ?? '', /as told/)
  await assert.rejects(invoke('x'), { status: 503 })
  await ready(2)
  assert.equal(await invoke('again'), 'again')
})

test('a full line refuses, a client that leaves frees its place and its invocation never runs', async (t) => {
  const { invoke, raiseFlag, ready } = startPool(t, { waitingMax: 1 })
  await ready()
  const running = invoke('hold')
  const client = new AbortController()
  const leaving = assert.rejects(invoke('die', client.signal), /client left/)
  await assert.rejects(invoke('x'), {
    status: 503,
    message: /All workers are busy and 1 invocations wait/,
  })
  client.abort()
  await leaving
  const next = invoke('next')
  raiseFlag()
  assert.deepEqual(await Promise.all([running, next]), ['hold', 'next'])
})

test('close waits for the worker in native code', async (t) => {
  const { pool, invoke, raiseFlag, ready } = startPool(t)
  await ready()
  const running = invoke('hold')
  let isClosed = false
  const closed = pool.close().then(() => (isClosed = true))
  assert.equal(isClosed, false)
  raiseFlag()
  await running
  await closed
})

test('a model that cannot be loaded is reported once, in its own words', async (t) => {
  const { pool, failures } = startPool(t, { workerCount: 3, refuse: 'politely' })
  await until('the failure', () => failures.length > 0)
  await pool.close()
  assert.deepEqual(
    failures.map(({ reason, message }) => [reason, message]),
    [['modelInvalid', 'model.onnx is not a model']],
  )
})

test('a thread that dies before its model is loaded is reported with what it said', async (t) => {
  const { pool, failures } = startPool(t, { refuse: 'rudely' })
  await until('the failure', () => failures.length > 0)
  await pool.close()
  assert.deepEqual(
    failures.map(({ reason, message }) => [reason, message]),
    [['bug', 'the inference thread died while it loaded the model: rude']],
  )
})

test('a thread that was taken back serves another model, and nothing of the first is left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-spare-'))
  const socketPath = join(folder, '0.sock')
  const framesPath = frameSocketPath(socketPath, frameSocketSuffix(0))
  const spareWorker = await SpareWorker.start((reason) => assert.fail(reason))
  const serve = async (model: string): Promise<Image> => {
    const modelDirectory = join(folder, model)
    mkdirSync(modelDirectory)
    copyFileSync(join(MODELS, model), join(modelDirectory, model))
    const options = parseOptions(['--image=berth/onnx', `--model-directory=${modelDirectory}`], {})
    const onStartFailure = (failure: StartFailure): void => assert.fail(failure)
    const wiring = { socketPath, spareWorker, log: () => undefined, onStartFailure }
    const image = await startOnnxImage({ ...options, ...wiring })
    await until(`${model} to be loaded`, async () => (await image.ping()).status === 200)
    assert.ok(existsSync(framesPath))
    return image
  }
  const invoke = async (image: Image, row: string): Promise<string> => {
    const headers = { 'content-type': 'text/csv', accept: 'text/csv' }
    const call = { method: 'POST', path: '/invocations', headers, body: Buffer.from(row) }
    const { body } = await image.invoke(call, never)
    assert.ok(body instanceof Uint8Array)
    return Buffer.from(body).toString().trim()
  }
  try {
    const first = await serve('affine.onnx')
    assert.equal(await invoke(first, '1,2,3'), '14.5,31.5')
    await first.drain()
    await spareWorker.takeBack()
    assert.ok(!existsSync(framesPath))
    const second = await serve('identity-float32.onnx')
    assert.equal(await invoke(second, '7,8'), '7,8')
    await second.drain()
    await second.close()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
