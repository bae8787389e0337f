import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSqliteStore } from '../../src/adapters/sqlite/store.ts'
import { createEndpointLoop } from '../../src/controllers/endpoint/loop.ts'
import type { EndpointLoop } from '../../src/controllers/endpoint/loop.ts'
import type { Endpoint } from '../../src/domain/endpoint.ts'
import type { FleetVariant, Generation } from '../../src/domain/fleet.ts'
import type { EndpointRoute } from '../../src/domain/routes.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { FleetRuntime } from '../../src/ports/fleet-runtime.ts'
import type { Gateways } from '../../src/ports/gateways.ts'
import type { Store } from '../../src/ports/store.ts'
import { creating, endpoint, generation, variant } from '../support/endpoints.ts'
import { until } from '../support/until.ts'
import type { Behaviour } from '../contracts/fleet-runtime.ts'
import { openProcessHarness } from './fleet-harness.ts'
import type { ProcessHarness } from './fleet-harness.ts'

/** Gateways that take every route at once and never have anything outstanding. */
class FakeGateways implements Gateways {
  readonly routes = new Map<string, EndpointRoute>()

  async settled(): Promise<void> {}

  publishRoute(route: EndpointRoute): void {
    this.routes.set(route.endpointName, route)
  }

  withdrawRoute(endpointName: string): void {
    this.routes.delete(endpointName)
  }

  routedEndpointNames(): readonly string[] {
    return [...this.routes.keys()]
  }

  isDrained(): boolean {
    return true
  }

  instanceIds(): readonly string[] {
    const variants = this.routes.get('digits')?.variants ?? []
    return variants.flatMap(({ instances }) => instances.map(({ instanceId }) => instanceId))
  }
}

interface World extends AsyncDisposable {
  readonly fleets: ProcessHarness
  readonly store: Store
  readonly gateways: FakeGateways
  /** Control dies: its loop and runtime are lost; new ones are opened over the same world. */
  restartControl(): Promise<void>
  /** Turns of the present control's loop. */
  loopRunCount(): number
}

async function open(steadyMs = 200): Promise<World> {
  const fleets = await openProcessHarness()
  const store = createSqliteStore({ path: ':memory:' })
  const gateways = new FakeGateways()
  const startLoop = (runtime: FleetRuntime): EndpointLoop => {
    const settings = { startAttemptsMax: 3, steadyMs }
    const ports = { store, runtime, gateways, clock: systemClock, settings }
    const loop = createEndpointLoop({ ...ports, log: silentLog })
    loop.start()
    return loop
  }
  let loop = startLoop(fleets.runtime)
  return {
    fleets,
    store,
    gateways,
    loopRunCount: () => loop.stats().runCount,
    async restartControl() {
      await loop.stop()
      loop = startLoop(await fleets.replaceRuntime())
    },
    async [Symbol.asyncDispose]() {
      await loop.stop()
      await fleets[Symbol.asyncDispose]()
      await store.close()
    },
  }
}

function generationOf(
  { fleets }: World,
  number: number,
  behaviour: Behaviour,
  changes: Partial<FleetVariant> = {},
): Generation {
  const container = {
    hostname: 'primary',
    image: fleets.image,
    environment: { BEHAVIOUR: behaviour },
    modelData: undefined,
  }
  return generation(number, [variant({ containers: [container], ...changes })])
}

async function create(
  world: World,
  behaviour: Behaviour,
  changes: Partial<FleetVariant> = {},
): Promise<void> {
  const green = generationOf(world, 1, behaviour, changes)
  assert.ok(await world.store.insertEndpoint(creating(green, systemClock.nowMs()), {}))
}

function untilStatus({ store }: World, status: Endpoint['status']): Promise<Endpoint> {
  return until(`the endpoint is ${status}`, async () => {
    const found = await store.findEndpoint('digits')
    return found?.status === status && found
  })
}

async function untilNothingRuns({ fleets }: World): Promise<void> {
  await until('nothing runs', async () => (await fleets.runtime.observeFleets()).length === 0)
}

async function change(world: World, changes: Partial<Endpoint>): Promise<void> {
  await until('the change is stored', async () => {
    const found = await world.store.findEndpoint('digits')
    return found !== undefined && world.store.saveEndpoint({ ...found, ...changes })
  })
}

async function update(world: World, behaviour: Behaviour): Promise<void> {
  const startedAtMs = systemClock.nowMs()
  const green = generationOf(world, 2, behaviour)
  const deployment = { kind: 'update', green, startedAtMs } as const
  await change(world, { status: 'Updating', deployment, lastGeneration: 2 })
}

describe('the endpoint controller with real containers', () => {
  test('brings a new endpoint into service and routes to it', async () => {
    await using world = await open()
    await create(world, 'serves', { desiredInstanceCount: 2 })
    const { serving, failureReason } = await untilStatus(world, 'InService')
    assert.equal(serving?.variants[0]?.currentInstanceCount, 2)
    assert.equal(failureReason, undefined)
    assert.equal(world.gateways.instanceIds().length, 2)
    const events = await world.store.listEvents('digits', 10)
    assert.ok(events.some(({ kind }) => kind === 'status-changed'))
  })

  for (const behaviour of ['exits', 'exits-for-good', 'answers-then-exits'] as const) {
    test(`fails an endpoint whose container ${behaviour}, and leaves nothing running`, async () => {
      // Longer than it lives after its last answer, however slowly it dies.
      await using world = await open(60_000)
      await create(world, behaviour)
      const { failureReason } = await untilStatus(world, 'Failed')
      assert.match(
        failureReason ?? '',
        /^The primary container for production variant AllTraffic exited with code/,
      )
      await untilNothingRuns(world)
      assert.deepEqual(world.gateways.routedEndpointNames(), [])
    })
  }

  // Not by the API: SageMaker allows no start window shorter than a minute.
  test('fails an endpoint whose container is not ready within its start window', async () => {
    await using world = await open()
    await create(world, 'never-ready', { startupHealthTimeoutMs: 5_000 })
    const { failureReason } = await untilStatus(world, 'Failed')
    assert.match(
      failureReason ?? '',
      /^The primary container for production variant AllTraffic did not pass the ping health check\. Please check CloudWatch logs for this endpoint\. Cause: it did not answer GET \/ping with 200 within 5 s/,
    )
    await untilNothingRuns(world)
    assert.deepEqual(world.gateways.routedEndpointNames(), [])
  })

  test('replaces a killed instance while the endpoint stays in service', async () => {
    await using world = await open()
    await create(world, 'serves')
    await untilStatus(world, 'InService')
    const [before] = world.gateways.instanceIds()
    const [fleet] = await world.fleets.runtime.observeFleets('digits')
    const [victim] = fleet?.instances ?? []
    assert.ok(victim)
    world.fleets.kill(victim)
    await until('another instance is routed', () => {
      const [now] = world.gateways.instanceIds()
      return now !== undefined && now !== before
    })
    assert.equal((await world.store.findEndpoint('digits'))?.status, 'InService')
  })

  test('an update switches to the new generation and ends the old', async () => {
    await using world = await open()
    await create(world, 'serves')
    await untilStatus(world, 'InService')
    const [blue] = world.gateways.instanceIds()
    await update(world, 'serves')
    const { serving, configName } = await untilStatus(world, 'InService')
    assert.equal(serving?.number, 2)
    assert.equal(configName, 'config-2')
    assert.ok(!world.gateways.instanceIds().includes(blue ?? ''))
    await until('only the new fleet is left', async () => {
      const left = await world.fleets.runtime.observeFleets('digits')
      return left.length === 1 && left[0]?.generation === 2
    })
  })

  test('an update that fails leaves the old instance serving all the time', async () => {
    await using world = await open()
    await create(world, 'serves')
    await untilStatus(world, 'InService')
    const before = world.gateways.instanceIds()
    await update(world, 'exits')
    const after = await untilStatus(world, 'InService')
    assert.equal(after.serving?.number, 1)
    assert.match(after.failureReason ?? '', /no such tensor/)
    assert.deepEqual(world.gateways.instanceIds(), before)
  })

  test('control that dies and comes back keeps instances and routes as they are', async () => {
    await using world = await open()
    await create(world, 'serves', { desiredInstanceCount: 2 })
    await untilStatus(world, 'InService')
    const before = world.gateways.instanceIds()
    await world.restartControl()
    await until('the new control has looked', () => world.loopRunCount() > 0)
    assert.deepEqual(world.gateways.instanceIds(), before)
  })

  test('a deleted endpoint is gone when its last instance is', async () => {
    await using world = await open()
    await create(world, 'serves')
    await untilStatus(world, 'InService')
    world.fleets.holdInstances()
    await change(world, { status: 'Deleting' })
    await until('it is routed no more', () => world.gateways.routedEndpointNames().length === 0)
    assert.equal((await untilStatus(world, 'Deleting')).name, endpoint().name)
    world.fleets.releaseInstances()
    await until('it is gone', async () => !(await world.store.findEndpoint('digits')))
    assert.deepEqual(await world.fleets.runtime.observeFleets(), [])
  })
})
