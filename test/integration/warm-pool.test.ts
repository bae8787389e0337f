import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { builtInImages, warmModelServer } from '../../src/adapters/process/images.ts'
import type { ProcessRuntime } from '../../src/adapters/process/runtime.ts'
import type { ProcessRuntimeOptions } from '../../src/adapters/process/settings.ts'
import type { FleetSpec, ObservedInstance } from '../../src/domain/fleet.ts'
import { PING_POLICY } from '../../src/domain/health.ts'
import { findProcess } from '../../src/platform/process-identity.ts'
import { fleetOf } from '../contracts/fleet-runtime.ts'
import { disposeBerth, startBerth } from '../support/berth.ts'
import { runCli } from '../support/run-cli.ts'
import { until } from '../support/until.ts'
import { openProcessHarness } from './fleet-harness.ts'

const MAIN = fileURLToPath(new URL('../../src/modelserver/main.ts', import.meta.url))
const MODEL = fileURLToPath(new URL('../fixtures/models/affine.onnx', import.meta.url))
const program = { nodePath: process.execPath, entryPath: MAIN }
const python = { executable: undefined, environmentsDirectory: '', installerEnvironment: {} }
const server = {
  ...program,
  idleExitSeconds: 0,
  batching: 'on',
  python,
  nodePackagesDirectory: '',
  credentialsFile: '/nonexistent',
} as const

// Pings that are never repeated: whatever becomes ready did so by its first good one.
const NO_SECOND_PING = {
  ...PING_POLICY,
  startIntervalMs: 3_600_000,
  startIntervalMsMax: 3_600_000,
  confirmIntervalMs: 3_600_000,
}

// A machine that is busy elsewhere may keep a good process from answering as soon as the product expects.
const PATIENT = 60_000

async function openWithPool(changes: Partial<ProcessRuntimeOptions> = {}) {
  const modelDirectory = mkdtempSync(join(tmpdir(), 'berth-warm-'))
  mkdirSync(modelDirectory, { recursive: true })
  copyFileSync(MODEL, join(modelDirectory, 'model.onnx'))
  const harness = await openProcessHarness({
    images: builtInImages(server),
    warmPool: { count: 1, answerMsMax: PATIENT, ...warmModelServer(server) },
    prepareModelData: () =>
      Promise.resolve({ directory: modelDirectory, contentHash: 'a'.repeat(64), bytes: 1 }),
    ...changes,
  })
  return {
    harness,
    modelDirectory,
    async [Symbol.asyncDispose]() {
      await harness[Symbol.asyncDispose]()
      rmSync(modelDirectory, { recursive: true })
    },
  }
}

function onnxFleet(environment: Readonly<Record<string, string>> = {}): FleetSpec {
  const source = { kind: 's3-prefix', uri: 's3://b/m/', compression: 'none' }
  const spec = fleetOf('berth/onnx', 'serves')
  const [container] = spec.containers
  assert.ok(container)
  const modelData = source as unknown as NonNullable<typeof container.modelData>
  return { ...spec, containers: [{ ...container, environment, modelData }] }
}

function untilPooled(runtime: ProcessRuntime, otherThan?: number) {
  return until('a process to wait', () => {
    return runtime
      .observeWarmPool()
      .find(({ state, pid }) => state === 'ready' && pid !== otherThan)
  })
}

function untilReady(runtime: ProcessRuntime): Promise<ObservedInstance> {
  return until('the instance to be ready', async () => {
    const [fleet] = await runtime.observeFleets('digits')
    return fleet?.instances.find(({ state }) => state === 'ready')
  })
}

async function invoke({ address }: ObservedInstance): Promise<string> {
  const socketPath = address?.kind === 'socket' ? address.path : ''
  const headers = { 'content-type': 'text/csv' }
  const asking = request({
    socketPath,
    path: '/invocations',
    method: 'POST',
    headers,
    agent: false,
  })
  asking.end('1,2,3')
  const [reply] = await once(asking, 'response')
  return text(reply)
}

test('an instance is made of the process that waits; its log is the instance’s, and another one waits', async () => {
  await using world = await openWithPool()
  const { runtime, paths } = world.harness
  const pooled = await untilPooled(runtime)
  assert.ok((pooled.memoryBytes ?? 0) > 10_000_000)
  // It has answered already, in a folder that is gone.
  assert.deepEqual(await readdir(join(paths.instances, pooled.instanceId)), [])
  const spec = onnxFleet({ SAGEMAKER_REGION: 'us-east-1' })
  await runtime.applyFleet(spec, 1)
  const instance = await untilReady(runtime)
  assert.equal(instance.pid, pooled.pid)
  assert.equal(instance.instanceId, pooled.instanceId)
  assert.ok((await invoke(instance)).length > 0)
  const log = join(paths.logs, spec.endpointName, spec.variantName, `${instance.instanceId}.log`)
  assert.match(await readFile(log, 'utf8'), /"msg":"model loaded"/)
  await untilPooled(runtime, pooled.pid)
  await runtime.removeFleet(spec.fleetId)
  await until('the fleet to end', async () => (await runtime.observeFleets()).length === 0)
  assert.equal(findProcess(pooled.pid ?? 0), undefined)
})

for (const count of [0, 1]) {
  const how = count === 0 ? 'started afresh' : 'taken from the pool'
  test(`an instance ${how} is pinged when it opens its sockets, and believed at once`, async () => {
    const warmPool = { count, answerMsMax: PATIENT, ...warmModelServer(server) }
    await using world = await openWithPool({ warmPool, limits: { ping: NO_SECOND_PING } })
    const { runtime } = world.harness
    const pooled = count === 0 ? undefined : await untilPooled(runtime)
    await runtime.applyFleet(onnxFleet(), 1)
    const instance = await untilReady(runtime)
    if (pooled !== undefined) assert.equal(instance.pid, pooled.pid)
    assert.ok((await invoke(instance)).length > 0)
  })
}

test('what waits is shown with the platform', async () => {
  const berth = await startBerth({ environment: { BERTH_WARM_POOL: '1' } })
  try {
    const ready = await until('a process to wait', async () => {
      const args = ['describe', '--platform', '--data-dir', berth.dataDir]
      const [json, words] = [await runCli([...args, '--json']), await runCli(args)]
      const [member] = JSON.parse(json.stdout).warmPool
      return member.state === 'ready' && { member, words: words.stdout }
    })
    const { pid, memoryBytes, uptimeMs } = ready.member
    assert.ok(memoryBytes > 10_000_000 && uptimeMs > 0)
    assert.match(ready.words, new RegExp(`\\nwarm pool, ready +${pid} +\\d`))
  } finally {
    await disposeBerth(berth)
  }
})

test('another control adopts the instance, and has a pool of its own', async () => {
  await using world = await openWithPool()
  const first = await untilPooled(world.harness.runtime)
  await world.harness.runtime.applyFleet(onnxFleet(), 1)
  const instance = await untilReady(world.harness.runtime)
  assert.equal(instance.pid, first.pid)
  const second = await untilPooled(world.harness.runtime, first.pid)
  const runtime = await world.harness.replaceRuntime()
  await until('the pool of before to end', () => findProcess(second.pid ?? 0) === undefined)
  const adopted = await untilReady(runtime)
  assert.equal(adopted.pid, instance.pid)
  assert.ok((await invoke(adopted)).length > 0)
  await untilPooled(runtime, second.pid)
  process.kill(adopted.pid ?? 0, 'SIGKILL')
  const next = await until('a replacement', async () => {
    const ready = await untilReady(runtime)
    return ready.pid === adopted.pid ? undefined : ready
  })
  assert.ok((await invoke(next)).length > 0)
})

test('a process that is killed while it waits is replaced, and leaves no files', async () => {
  await using world = await openWithPool()
  const { runtime, paths } = world.harness
  const pooled = await untilPooled(runtime)
  process.kill(pooled.pid ?? 0, 'SIGKILL')
  const next = await untilPooled(runtime, pooled.pid)
  assert.deepEqual(await readdir(paths.instances), [next.instanceId])
  assert.deepEqual(await readdir(join(paths.logs, '.pool')), [`${next.instanceId}.log`])
})

test('a process that waits and does not answer is passed over', async () => {
  await using world = await openWithPool({ warmPool: { count: 1, ...warmModelServer(server) } })
  const { runtime } = world.harness
  const pooled = await untilPooled(runtime)
  process.kill(pooled.pid ?? 0, 'SIGSTOP')
  await runtime.applyFleet(onnxFleet(), 1)
  const instance = await untilReady(runtime)
  assert.notEqual(instance.pid, pooled.pid)
  assert.ok((await invoke(instance)).length > 0)
  await until('it to be gone', () => findProcess(pooled.pid ?? 0) === undefined)
})

test('variables that a process reads when it begins need a process of their own', async () => {
  await using world = await openWithPool()
  const { runtime } = world.harness
  const pooled = await untilPooled(runtime)
  await runtime.applyFleet(onnxFleet({ NODE_OPTIONS: '--max-old-space-size=64' }), 1)
  const instance = await untilReady(runtime)
  assert.notEqual(instance.pid, pooled.pid)
  assert.equal((await untilPooled(runtime)).pid, pooled.pid)
})

test('what cannot be loaded is told as if the process had been started for it', async () => {
  await using world = await openWithPool()
  const { runtime } = world.harness
  rmSync(join(world.modelDirectory, 'model.onnx'))
  await untilPooled(runtime)
  await runtime.applyFleet(onnxFleet(), 1)
  const failure = await until('the failure', async () => {
    return (await runtime.observeFleets())[0]?.startFailure
  })
  assert.equal(failure.permanent, true)
  assert.match(failure.reason, /^exited with code 21; last log lines:\n/)
})

test('a process that waits ends when its channel closes', async () => {
  // Not with this process's own options: a module to be loaded first is named from its folder.
  const child = fork(MAIN, ['--pooled'], { stdio: 'ignore', cwd: tmpdir(), execArgv: [] })
  const exited = once(child, 'exit')
  const [message] = await once(child, 'message')
  assert.deepEqual(message, { kind: 'ready' })
  child.disconnect()
  assert.deepEqual(await exited, [0, null])
})
