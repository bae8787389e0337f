import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fleetIdOf } from '../../src/domain/fleet.ts'
import type { FleetSpec, ObservedFleet, ObservedInstance } from '../../src/domain/fleet.ts'
import type { FleetRuntime, LogLine } from '../../src/ports/fleet-runtime.ts'
import { until } from '../support/until.ts'

/** What `test/fixtures/container.ts` can be told to do. */
export type Behaviour =
  | 'serves'
  | 'never-ready'
  | 'exits'
  | 'exits-for-good'
  | 'answers-then-exits'
  | 'stubborn'
  | 'has-children'
  | 'goes-bad'

/** One world with one runtime in it, and the means to disturb it. */
export interface FleetRuntimeHarness extends AsyncDisposable {
  readonly runtime: FleetRuntime
  /** Image that runs `test/fixtures/container.ts`. */
  readonly image: string
  /** Makes instances count as used by a gateway until released. */
  holdInstances(): void
  releaseInstances(): void
  /** Limits of time that are not reached by then are over. */
  passTime(durationMs: number): void
  /** Kills the instance without warning. */
  kill(instance: ObservedInstance): void
  isAlive(instance: ObservedInstance): boolean
  /** The runtime object is lost, as when control is killed; another one is opened over the same world. */
  replaceRuntime(): Promise<FleetRuntime>
  invoke(instance: ObservedInstance, path: string): Promise<string>
}

/** A fleet of test containers. */
export function fleetOf(
  image: string,
  behaviour: Behaviour,
  changes: Partial<FleetSpec> & { readonly environment?: Readonly<Record<string, string>> } = {},
): FleetSpec {
  const { environment, ...rest } = changes
  return {
    fleetId: fleetIdOf('e0123456789a', 1, 'AllTraffic'),
    endpointName: 'digits',
    endpointId: 'e0123456789a',
    variantName: 'AllTraffic',
    generation: 1,
    instanceType: 'ml.m5.large',
    modelDataDownloadTimeoutMs: 60_000,
    startupHealthTimeoutMs: 60_000,
    containers: [
      {
        hostname: 'primary',
        image,
        environment: { BEHAVIOUR: behaviour, ...environment },
        modelData: undefined,
      },
    ],
    ...rest,
  }
}

/** The fleet, if the runtime knows it. */
export async function findFleet(
  runtime: FleetRuntime,
  { fleetId, endpointName }: FleetSpec,
): Promise<ObservedFleet | undefined> {
  const fleets = await runtime.observeFleets(endpointName)
  return fleets.find((fleet) => fleet.fleetId === fleetId)
}

/** Waits until exactly so many instances are ready and none is in another state. */
export function untilReady(
  runtime: FleetRuntime,
  spec: FleetSpec,
  count: number,
): Promise<readonly ObservedInstance[]> {
  return until(`${count} instances are ready`, async () => {
    const instances = (await findFleet(runtime, spec))?.instances ?? []
    const isSo = instances.length === count && instances.every(({ state }) => state === 'ready')
    return isSo ? instances : undefined
  })
}

/** Rules every fleet runtime keeps, whatever it runs instances with. */
export function fleetRuntimeContract(name: string, open: () => Promise<FleetRuntimeHarness>): void {
  describe(`${name} keeps the contract of a fleet runtime:`, () => {
    test('instances start, become ready and answer at their address', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      const changes: string[] = []
      world.runtime.onChange((endpointName) => changes.push(endpointName))
      await world.runtime.applyFleet(spec, 2)
      const instances = await untilReady(world.runtime, spec, 2)
      assert.equal(new Set(instances.map(({ instanceId }) => instanceId)).size, 2)
      for (const instance of instances) {
        assert.ok((instance.readyAtMs ?? 0) >= instance.startedAtMs)
        assert.match(await world.invoke(instance, '/invocations'), /"pid":\d+/)
      }
      assert.deepEqual([...new Set(changes)], ['digits'])
      assert.equal((await world.runtime.observeFleets('other')).length, 0)
      assert.equal((await findFleet(world.runtime, spec))?.desiredInstanceCount, 2)
    })

    test('a larger count adds instances, a smaller one keeps as many of them running', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      const [first] = await untilReady(world.runtime, spec, 1)
      await world.runtime.applyFleet(spec, 3)
      const three = await untilReady(world.runtime, spec, 3)
      assert.ok(three.some(({ instanceId }) => instanceId === first?.instanceId))
      await world.runtime.applyFleet(spec, 1)
      const [left] = await untilReady(world.runtime, spec, 1)
      assert.equal(left?.instanceId, first?.instanceId)
    })

    test('a count of zero ends the fleet, and it disappears with its last instance', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      const [instance] = await untilReady(world.runtime, spec, 1)
      assert.ok(instance)
      await world.runtime.applyFleet(spec, 0)
      await until('the fleet is gone', async () => !(await findFleet(world.runtime, spec)))
      assert.equal(world.isAlive(instance), false)
    })

    test('a fleet can be ended by its id alone, and once more', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      await untilReady(world.runtime, spec, 1)
      await world.runtime.removeFleet(spec.fleetId)
      await until('the fleet is gone', async () => !(await findFleet(world.runtime, spec)))
      await world.runtime.removeFleet(spec.fleetId)
      assert.deepEqual(await world.runtime.observeFleets(), [])
    })

    test('surplus leaves the ready ones at once but runs until no gateway uses it', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      const [instance] = await untilReady(world.runtime, spec, 1)
      assert.ok(instance)
      world.holdInstances()
      await world.runtime.applyFleet(spec, 0)
      const draining = await until('the instance drains', async () =>
        (await findFleet(world.runtime, spec))?.instances.find(({ state }) => state !== 'ready'),
      )
      assert.equal(draining.state, 'draining')
      assert.ok(draining.reason)
      assert.match(await world.invoke(instance, '/invocations'), /"pid":\d+/)
      assert.ok(world.isAlive(instance))
      world.releaseInstances()
      await until('the fleet is gone', async () => !(await findFleet(world.runtime, spec)))
    })

    test('a killed instance is replaced by another, the others stay', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 2)
      const [victim, survivor] = await untilReady(world.runtime, spec, 2)
      assert.ok(victim && survivor)
      world.kill(victim)
      const after = await until('a replacement is ready', async () => {
        const { instances = [] } = (await findFleet(world.runtime, spec)) ?? {}
        const ready = instances.filter(({ state }) => state === 'ready')
        const isReplaced = !instances.some(({ instanceId }) => instanceId === victim.instanceId)
        return isReplaced && ready.length === 2 && ready
      })
      assert.ok(after.some(({ instanceId }) => instanceId === survivor.instanceId))
    })

    test('a container that exits is reported with code and log lines, and counted', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'exits')
      await world.runtime.applyFleet(spec, 1)
      const failure = await until('two starts have failed', async () => {
        const { startFailure } = (await findFleet(world.runtime, spec)) ?? {}
        return startFailure !== undefined && startFailure.consecutiveCount >= 2 && startFailure
      })
      assert.equal(failure.cause, 'exited')
      assert.equal(failure.permanent, false)
      assert.match(failure.reason, /exited with code 3/)
      assert.match(failure.reason, /no such tensor: input_1/)
    })

    test('a container that answers its pings and then dies counts as a failed start', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'answers-then-exits')
      await world.runtime.applyFleet(spec, 1)
      const failure = await until('two starts have failed', async () => {
        const { startFailure } = (await findFleet(world.runtime, spec)) ?? {}
        return startFailure !== undefined && startFailure.consecutiveCount >= 2 && startFailure
      })
      assert.match(failure.reason, /exited with code 7/)
    })

    test('a container that never answers well fails when its start window has passed', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'never-ready')
      await world.runtime.applyFleet(spec, 1)
      // From then on it is this answer that every ping brings.
      await until('it to be pinged', async () =>
        (await readTexts(world.runtime)).includes('pinged'),
      )
      world.passTime(spec.startupHealthTimeoutMs)
      const failure = await until('the start has failed', async () => {
        return (await findFleet(world.runtime, spec))?.startFailure
      })
      assert.equal(failure.cause, 'ping')
      assert.match(
        failure.reason,
        /did not answer GET \/ping with 200 within 60 s: last answer 503 "loading"/,
      )
    })

    test('an unknown image is a permanent failure', async () => {
      await using world = await open()
      const spec = fleetOf('no.such/image:1', 'serves')
      await world.runtime.applyFleet(spec, 1)
      const failure = await until('the start has failed', async () => {
        return (await findFleet(world.runtime, spec))?.startFailure
      })
      assert.equal(failure.cause, 'image')
      assert.equal(failure.permanent, true)
      assert.match(failure.reason, /no\.such\/image:1/)
    })

    test('a second runtime over the same world goes on with the same instances', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 2)
      const before = await untilReady(world.runtime, spec, 2)
      const runtime = await world.replaceRuntime()
      // At once, before anything is pinged or applied: routes are made from this.
      const adopted = (await findFleet(runtime, spec))?.instances ?? []
      assert.deepEqual(idsAndPids(adopted), idsAndPids(before))
      assert.ok(adopted.every(({ state }) => state === 'ready'))
      await runtime.applyFleet(spec, 2)
      assert.deepEqual(idsAndPids(await untilReady(runtime, spec, 2)), idsAndPids(before))
      await runtime.applyFleet(spec, 0)
      await until('the fleet is gone', async () => !(await findFleet(runtime, spec)))
      assert.ok(before.every((instance) => !world.isAlive(instance)))
    })

    test('an adopted instance that dies is replaced', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      const [before] = await untilReady(world.runtime, spec, 1)
      const runtime = await world.replaceRuntime()
      assert.ok(before)
      world.kill(before)
      await until('another instance is ready', async () => {
        const { instances = [] } = (await findFleet(runtime, spec)) ?? {}
        return instances.some(
          ({ instanceId, state }) => instanceId !== before.instanceId && state === 'ready',
        )
      })
    })

    test('logs give the last lines first and then follow', async () => {
      await using world = await open()
      const spec = fleetOf(world.image, 'serves')
      await world.runtime.applyFleet(spec, 1)
      const [instance] = await untilReady(world.runtime, spec, 1)
      assert.ok(instance)
      const ending = new AbortController()
      const lines: LogLine[] = []
      const request = { endpointName: 'digits', lineCount: 1, follow: true }
      for await (const line of world.runtime.readLogs(request, ending.signal)) {
        lines.push(line)
        if (line.text === 'listening') await world.invoke(instance, '/invocations')
        else ending.abort()
      }
      const { instanceId } = instance
      assert.deepEqual(lines, [
        { instanceId, variantName: 'AllTraffic', text: 'listening' },
        { instanceId, variantName: 'AllTraffic', text: 'invoked /invocations' },
      ])
    })
  })
}

/** The last log lines of the fleet of {@link fleetOf}. */
export async function readTexts(runtime: FleetRuntime): Promise<readonly string[]> {
  const request = { endpointName: 'digits', lineCount: 100, follow: false }
  const texts: string[] = []
  for await (const { text } of runtime.readLogs(request, new AbortController().signal)) {
    texts.push(text)
  }
  return texts
}

function idsAndPids(instances: readonly ObservedInstance[]): readonly string[] {
  return instances.map(({ instanceId, pid }) => `${instanceId} ${pid}`).toSorted()
}
