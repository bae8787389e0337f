import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findMarkedProcesses } from '../../src/adapters/process/process-table.ts'
import { BerthError } from '../../src/domain/errors.ts'
import type { FleetRuntime } from '../../src/ports/fleet-runtime.ts'
import type { FleetSpec, StartFailure } from '../../src/domain/fleet.ts'
import { fleetOf, findFleet, readTexts, untilReady } from '../contracts/fleet-runtime.ts'
import { until } from '../support/until.ts'
import { openProcessHarness } from './fleet-harness.ts'
import type { ProcessHarness } from './fleet-harness.ts'

const ONLY_LINUX = { skip: process.platform === 'linux' ? false : 'reads /proc' }

function installationIdOf({ paths }: ProcessHarness): string {
  return createHash('sha256').update(paths.dataDir).digest('hex').slice(0, 16)
}

function untilGone(runtime: FleetRuntime, spec: FleetSpec): Promise<true> {
  return until('the fleet is gone', async () => !(await findFleet(runtime, spec)))
}

function untilFailed(runtime: FleetRuntime, spec: FleetSpec): Promise<StartFailure> {
  return until('a start has failed', async () => (await findFleet(runtime, spec))?.startFailure)
}

describe('the process runtime', () => {
  test('leaves neither processes nor files of a fleet that ended, except its log', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'has-children')
    await world.runtime.applyFleet(spec, 2)
    const instances = await untilReady(world.runtime, spec, 2)
    assert.equal((await findMarkedProcesses(installationIdOf(world))).length, 6)
    await world.runtime.applyFleet(spec, 0)
    await untilGone(world.runtime, spec)
    assert.deepEqual(await findMarkedProcesses(installationIdOf(world)), [])
    assert.deepEqual(readdirSync(world.paths.instances), [])
    assert.deepEqual(readdirSync(join(world.paths.run, 'fleets')), [])
    const logs = readdirSync(join(world.paths.logs, 'digits', 'AllTraffic'))
    assert.deepEqual(
      logs.toSorted(),
      instances.map(({ instanceId }) => `${instanceId}.log`).toSorted(),
    )
  })

  test(
    'kills what a dead leader left behind, also what had left its group',
    ONLY_LINUX,
    async () => {
      await using world = await openProcessHarness()
      const spec = fleetOf(world.image, 'has-children')
      await world.runtime.applyFleet(spec, 1)
      const [victim] = await untilReady(world.runtime, spec, 1)
      assert.ok(victim)
      const before = await findMarkedProcesses(installationIdOf(world))
      assert.equal(before.length, 3)
      world.kill(victim)
      await until('only the replacement and its children run', async () => {
        const now = await findMarkedProcesses(installationIdOf(world))
        return now.length === 3 && now.every(({ instanceId }) => instanceId !== victim.instanceId)
      })
    },
  )

  test('kills a container that ignores SIGTERM, and says so', async () => {
    const limits = { terminateMsMax: 60_000 }
    await using world = await openProcessHarness({ limits })
    const spec = fleetOf(world.image, 'stubborn')
    await world.runtime.applyFleet(spec, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    assert.ok(instance)
    await world.runtime.applyFleet(spec, 0)
    const log = join(world.paths.logs, 'digits', 'AllTraffic', `${instance.instanceId}.log`)
    await until('SIGTERM', () => /ignoring SIGTERM/.test(readFileSync(log, 'utf8')))
    world.passTime(limits.terminateMsMax)
    await untilGone(world.runtime, spec)
    assert.equal(world.isAlive(instance), false)
    assert.ok(world.events.some(({ kind }) => kind === 'instance-killed'))
  })

  test('replaces an instance that misses its pings, and waits for its last invocations', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'goes-bad')
    await world.runtime.applyFleet(spec, 1)
    const [sick] = await untilReady(world.runtime, spec, 1)
    assert.ok(sick)
    world.holdInstances()
    await world.invoke(sick, '/bad')
    await until('a replacement is ready', async () => {
      const { instances = [] } = (await findFleet(world.runtime, spec)) ?? {}
      return instances.some(
        ({ instanceId, state }) => instanceId !== sick.instanceId && state === 'ready',
      )
    })
    const { instances = [] } = (await findFleet(world.runtime, spec)) ?? {}
    const draining = instances.find(({ instanceId }) => instanceId === sick.instanceId)
    assert.equal(draining?.state, 'draining')
    assert.match(draining.reason ?? '', /did not answer GET \/ping with 200 3 times in a row/)
    assert.ok(world.isAlive(sick))
    world.releaseInstances()
    await untilReady(world.runtime, spec, 1)
  })

  test('says in events how often a crashing container was started and how long it waits', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'exits')
    await world.runtime.applyFleet(spec, 1)
    await until('starts are delayed', () => {
      const delays = world.events.filter(({ kind }) => kind === 'replacement-delayed')
      return delays.length >= 2
    })
    const delays = world.events.filter(({ kind }) => kind === 'replacement-delayed')
    assert.deepEqual(
      delays.slice(0, 2).map(({ inputs }) => inputs.delayMs),
      [200, 400],
    )
    const failed = world.events.find(({ kind }) => kind === 'instance-start-failed')
    assert.match(
      failed?.reason ?? '',
      /^Instance \w+ of variant AllTraffic failed: exited with code 3/,
    )
  })

  test('does not try again soon when the program says that it cannot help', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'exits-for-good')
    await world.runtime.applyFleet(spec, 1)
    const failure = await untilFailed(world.runtime, spec)
    assert.equal(failure.permanent, true)
    assert.match(failure.reason, /exited with code 22; last log lines:\nmodel\.onnx is not a model/)
    const delay = world.events.find(({ kind }) => kind === 'replacement-delayed')
    assert.equal(delay?.inputs.delayMs, 60_000)
  })

  test('gives a container its own environment and nothing of the platform', async () => {
    await using world = await openProcessHarness()
    process.env.BERTH_TEST_SECRET = 'not for containers'
    const spec = fleetOf(world.image, 'serves', {
      environment: { COLOUR: 'blue', BERTH_INSTANCE_ID: 'forged' },
    })
    await world.runtime.applyFleet(spec, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    assert.ok(instance)
    const { env, workerCount } = JSON.parse(await world.invoke(instance, '/invocations')) as {
      env: Record<string, string>
      workerCount: string
    }
    delete process.env.BERTH_TEST_SECRET
    assert.equal(env.COLOUR, 'blue')
    assert.equal(env.AWS_REGION, 'us-east-1')
    assert.equal(env.BERTH_INSTANCE_ID, instance.instanceId)
    assert.equal(env.BERTH_TEST_SECRET, undefined)
    assert.ok(Number(workerCount) >= 1)
  })

  test('an out-of-memory kill takes an instance before the platform', ONLY_LINUX, async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    const score = readFileSync(`/proc/${instance?.pid}/oom_score_adj`, 'utf8')
    assert.equal(score.trim(), '500')
  })

  test('a container gets the folder of its model data, which counts as in use, also once adopted', async () => {
    const directory = '/models/0123abcd'
    await using world = await openProcessHarness({
      prepareModelData: () => Promise.resolve({ directory, contentHash: '0123abcd', bytes: 7 }),
    })
    const spec = fleetOf(world.image, 'serves')
    const modelData = { kind: 'archive', url: 's3://b/k' } as const
    const containers = spec.containers.map((container) => ({ ...container, modelData }))
    await world.runtime.applyFleet({ ...spec, containers }, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    assert.ok(instance)
    assert.match(
      await world.invoke(instance, '/invocations'),
      /"modelDirectory":"\/models\/0123abcd"/,
    )
    assert.deepEqual([...world.runtime.contentHashesInUse()], ['0123abcd'])
    const runtime = await world.replaceRuntime()
    assert.deepEqual([...runtime.contentHashesInUse()], ['0123abcd'])
    assert.ok(world.events.some(({ kind }) => kind === 'model-data-prepared'))
  })

  test('model data that cannot be had is a failure in the words of whoever looked for it', async () => {
    const message = 'Failed to download model data for container "primary" from URL: "s3://b/k".'
    const source = { kind: 'archive', url: 's3://b/k' } as const
    await using world = await openProcessHarness({
      prepareModelData: () => Promise.reject(new BerthError('ValidationException', message)),
    })
    const spec = fleetOf(world.image, 'serves')
    const containers = spec.containers.map((container) => ({ ...container, modelData: source }))
    await world.runtime.applyFleet({ ...spec, containers }, 1)
    const failure = await untilFailed(world.runtime, spec)
    assert.deepEqual(
      [failure.cause, failure.reason, failure.permanent],
      ['model-data', message, true],
    )
  })

  test('with strict capacity an instance beyond the machine is refused with the numbers', async () => {
    const machine = { vCpuCount: 2, memoryBytes: 8 * 1024 ** 3 }
    await using world = await openProcessHarness({ capacity: 'strict', machine })
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 2)
    const failure = await untilFailed(world.runtime, spec)
    assert.equal(failure.cause, 'capacity')
    assert.equal(
      failure.reason,
      "InsufficientInstanceCapacity: ml.m5.large needs 2 vCPU and 8 GiB; of this machine's 2 vCPU and 8 GiB, 2 vCPU and 8 GiB are taken.",
    )
  })

  test('after everything was killed, the fleets of before come back by themselves', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 2)
    const before = await untilReady(world.runtime, spec, 2)
    await world.runtime.close()
    for (const instance of before) world.kill(instance)
    await until('the instances are dead', () => !before.some((one) => world.isAlive(one)))
    const runtime = await world.replaceRuntime()
    const after = await untilReady(runtime, spec, 2)
    assert.ok(after.every(({ pid }) => !before.some((one) => one.pid === pid)))
  })

  test(
    'an instance whose record control could not complete is adopted all the same',
    ONLY_LINUX,
    async () => {
      await using world = await openProcessHarness()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      const [before] = await untilReady(world.runtime, spec, 1)
      assert.ok(before)
      await world.runtime.close()
      const file = join(world.paths.instances, before.instanceId, 'instance.json')
      const {
        process: _,
        readyAtMs: __,
        ...intent
      } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
      writeFileSync(file, JSON.stringify({ ...intent, phase: 'starting' }))
      const runtime = await world.replaceRuntime()
      const [after] = await untilReady(runtime, spec, 1)
      assert.equal(after?.pid, before.pid)
    },
  )

  test(
    'a process of this installation without a record is killed at the start',
    ONLY_LINUX,
    async () => {
      await using world = await openProcessHarness()
      const spec = fleetOf(world.image, 'has-children')
      await world.runtime.applyFleet(spec, 1)
      const [orphan] = await untilReady(world.runtime, spec, 1)
      assert.ok(orphan)
      const stranger = spawn('sleep', ['600'], { stdio: 'ignore' })
      await world.runtime.close()
      rmSync(join(world.paths.instances, orphan.instanceId), { recursive: true })
      mkdirSync(join(world.paths.instances, 'damaged'))
      const runtime = await world.replaceRuntime()
      assert.equal(world.isAlive(orphan), false)
      assert.equal(existsSync(join(world.paths.instances, 'damaged')), false)
      assert.equal(stranger.exitCode, null)
      stranger.kill('SIGKILL')
      const [replacement] = await untilReady(runtime, spec, 1)
      assert.notEqual(replacement?.instanceId, orphan.instanceId)
    },
  )

  test('a record whose pid belongs to another program now is not adopted and not killed', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 1)
    const [before] = await untilReady(world.runtime, spec, 1)
    assert.ok(before)
    await world.runtime.close()
    world.kill(before)
    await until('the instance is dead', () => !world.isAlive(before))
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore', detached: true })
    const file = join(world.paths.instances, before.instanceId, 'instance.json')
    const record = JSON.parse(readFileSync(file, 'utf8')) as {
      containers: [{ process: { pid: number } }]
    }
    record.containers[0].process.pid = stranger.pid ?? 0
    writeFileSync(file, JSON.stringify(record))
    const runtime = await world.replaceRuntime()
    const [after] = await untilReady(runtime, spec, 1)
    assert.notEqual(after?.instanceId, before.instanceId)
    assert.equal(stranger.exitCode ?? stranger.signalCode, null)
    stranger.kill('SIGKILL')
  })

  test('an instance whose record cannot be written is replaced and stopped like any other', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 2)
    const [victim, other] = await untilReady(world.runtime, spec, 2)
    assert.ok(victim && other)
    for (const { instanceId } of [victim, other]) {
      const file = join(world.paths.instances, instanceId, 'instance.json')
      rmSync(file)
      mkdirSync(join(file, 'in-the-way'), { recursive: true })
    }
    world.kill(victim)
    await until('the victim is replaced', async () => {
      const { instances = [] } = (await findFleet(world.runtime, spec)) ?? {}
      const ready = instances.filter(({ state }) => state === 'ready')
      return ready.length === 2 && !ready.some(({ instanceId }) => instanceId === victim.instanceId)
    })
    await world.runtime.applyFleet(spec, 0)
    await untilGone(world.runtime, spec)
    assert.equal(world.isAlive(other), false)
  })

  test('a crash loop leaves a bounded number of log files', async () => {
    await using world = await openProcessHarness({
      limits: {
        goneLogCountMax: 2,
        logUpkeepIntervalMs: 20,
        adoptedPollMs: 20,
        backOff: { freeCount: 9, firstDelayMs: 10_000, delayMsMax: 10_000 },
      },
    })
    const spec = fleetOf(world.image, 'exits')
    await world.runtime.applyFleet(spec, 1)
    await until('it was started four times', async () => {
      const { startFailure } = (await findFleet(world.runtime, spec)) ?? {}
      return (startFailure?.consecutiveCount ?? 0) >= 4
    })
    await world.runtime.applyFleet(spec, 0)
    await untilGone(world.runtime, spec)
    const folder = join(world.paths.logs, 'digits', 'AllTraffic')
    await until('two logs are left', () => readdirSync(folder).length === 2)
  })

  test('stopping everything keeps the wish: the next start brings the fleet back', async () => {
    await using world = await openProcessHarness()
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 1)
    const [before] = await untilReady(world.runtime, spec, 1)
    assert.ok(before)
    await world.runtime.stopAll(new AbortController().signal)
    assert.equal(world.isAlive(before), false)
    await untilReady(await world.replaceRuntime(), spec, 1)
  })

  test('stopping everything kills what does not stop before the deadline', async () => {
    await using world = await openProcessHarness({ limits: { terminateMsMax: 60_000 } })
    const spec = fleetOf(world.image, 'stubborn')
    await world.runtime.applyFleet(spec, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    assert.ok(instance)
    await world.runtime.stopAll(AbortSignal.timeout(200))
    assert.equal(world.isAlive(instance), false)
  })

  test('full log files are rotated, and logs of instances that are gone make room', async () => {
    await using world = await openProcessHarness({
      limits: {
        logFileBytesMax: 64,
        logFileCountMax: 1,
        logsBytesMax: 200,
        logUpkeepIntervalMs: 20,
        adoptedPollMs: 20,
      },
    })
    const spec = fleetOf(world.image, 'serves')
    await world.runtime.applyFleet(spec, 1)
    const [instance] = await untilReady(world.runtime, spec, 1)
    assert.ok(instance)
    const folder = join(world.paths.logs, 'digits', 'AllTraffic')
    writeFileSync(join(folder, `${'0'.repeat(20)}.log`), 'x'.repeat(300))
    // The third line fills the file: nothing is written while it is copied and cut, which could be lost.
    for (let i = 0; i < 3; i += 1) await world.invoke(instance, `/invocations/${i}`)
    await until('only the live instance has logs, rotated', () => {
      const names = readdirSync(folder).toSorted()
      const log = `${instance.instanceId}.log`
      return names.length === 2 && names[0] === log && names[1] === `${log}.1`
    })
    await world.invoke(instance, '/invocations/last')
    const texts = await until('the last line', async () => {
      const read = await readTexts(world.runtime)
      return read.at(-1) === 'invoked /invocations/last' && read
    })
    assert.equal(texts.at(-2), 'invoked /invocations/2')
  })
})
