import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeEndpointWorld } from '../../../test/support/fake-endpoint-world.ts'
import type { Endpoint, EndpointStatus } from '../../domain/endpoint.ts'
import { fleetIdOf } from '../../domain/fleet.ts'
import { applyAction } from './apply.ts'
import { readyCountOf } from './generation.ts'
import { planEndpoint } from './plan.ts'
import type { EndpointPlan } from './plan.ts'
import { reconcileEndpoint } from './reconcile.ts'

type Step =
  | { readonly kind: 'reconcile' }
  /** A while in which nothing goes wrong that must not. */
  | { readonly kind: 'calm'; readonly roundCount: number }
  /** Control dies after so many actions, and forgets what it published. */
  | { readonly kind: 'crash'; readonly actionCount: number }
  | { readonly kind: 'wait'; readonly durationMs: number }
  | {
      readonly kind: 'move'
      readonly fleet: number
      readonly move: 'start' | 'settle' | 'kill' | 'end'
    }
  | {
      readonly kind: 'request'
      readonly wish: 'create' | 'update' | 'scale' | 'delete'
      readonly isBad: boolean
      readonly count: number
    }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'reconcile' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('calm' as const), roundCount: fc.nat(5) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), actionCount: fc.nat(4) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      durationMs: fc.constantFrom(100, 600, 5_000, 600_000),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      fleet: fc.nat(5),
      move: fc.constantFrom('start', 'start', 'settle', 'settle', 'kill', 'end'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('request' as const),
      wish: fc.constantFrom('create', 'create', 'update', 'scale', 'delete'),
      isBad: fc.boolean(),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
)

const NAME = 'digits'
const NEVER = new AbortController().signal

const LEGAL: Readonly<Partial<Record<EndpointStatus, readonly EndpointStatus[]>>> = {
  Creating: ['Creating', 'InService', 'Failed'],
  InService: ['InService'],
  Updating: ['Updating', 'InService', 'RollingBack'],
  RollingBack: ['RollingBack', 'InService'],
  Failed: ['Failed'],
  Deleting: ['Deleting'],
}

function request(
  wish: 'create' | 'update' | 'scale' | 'delete',
  isBad: boolean,
  count: number,
): Step {
  return { kind: 'request', wish, isBad, count }
}

const CALM: Step = { kind: 'calm', roundCount: 5 }
const RECONCILE: Step = { kind: 'reconcile' }
const TOO_LONG: Step = { kind: 'wait', durationMs: 600_000 }

// Chance alone passes through the rarer statuses in most runs, not in all.
const LIVES: readonly (readonly Step[])[] = [
  [
    request('create', false, 1),
    CALM,
    request('scale', false, 3),
    RECONCILE,
    TOO_LONG,
    RECONCILE,
    RECONCILE,
  ],
  [request('create', false, 2), CALM, request('update', true, 1), CALM, CALM],
  [
    request('create', false, 2),
    CALM,
    request('update', false, 3),
    RECONCILE,
    request('delete', false, 1),
  ],
  [request('create', true, 1), CALM, CALM, request('delete', false, 1), RECONCILE],
  [request('create', false, 1), CALM, request('delete', false, 1), RECONCILE],
]

async function runStep(world: FakeEndpointWorld, step: Step): Promise<void> {
  switch (step.kind) {
    case 'reconcile': {
      const before = world.endpoint
      const blueBefore = readyBlue(world, before)
      const plan = await reconcileEndpoint(NAME, world, NEVER)
      assertPlan(plan, before)
      assertWorld(world, before, blueBefore)
      break
    }
    case 'calm':
      await settle(world, step.roundCount)
      break
    case 'crash': {
      const plan = planEndpoint(await world.observe(NAME))
      for (const action of plan.actions.slice(0, step.actionCount)) {
        if (!(await applyAction(NAME, action, world))) break
      }
      world.published = undefined
      break
    }
    case 'wait':
      world.nowMs += step.durationMs
      break
    case 'move':
      world.moveFleet(step.fleet, step.move)
      break
    case 'request':
      world.request(step.wish, step.isBad, step.count)
      break
  }
}

function assertPlan({ actions }: EndpointPlan, before: Endpoint | undefined): void {
  const applied = actions.flatMap((action) =>
    action.kind === 'apply-fleet' ? [action.spec.fleetId] : [],
  )
  const removed = actions.flatMap((action) =>
    action.kind === 'remove-fleet' ? [action.fleetId] : [],
  )
  assert.deepEqual(
    applied.filter((fleetId) => removed.includes(fleetId)),
    [],
  )
  if (before?.deployment?.kind === 'update') {
    const blue = fleetIdsOf(before)
    assert.ok(!removed.some((fleetId) => blue.includes(fleetId)), 'blue ended during an update')
  }
}

function assertWorld(
  world: FakeEndpointWorld,
  before: Endpoint | undefined,
  blueBefore: readonly string[],
): void {
  const { endpoint, route } = world
  if (before !== undefined && endpoint !== undefined) {
    assert.ok(
      LEGAL[before.status]?.includes(endpoint.status),
      `${before.status} → ${endpoint.status}`,
    )
  }
  const routedIds =
    route?.variants.flatMap(({ instances }) => instances.map((one) => one.instanceId)) ?? []
  assert.ok(new Set(routedIds.map((id) => id.split('/')[0])).size <= 1, 'two generations routed')
  if (endpoint?.deployment?.kind === 'update' && before?.deployment?.kind === 'update') {
    assert.deepEqual([...routedIds].toSorted(), [...blueBefore].toSorted())
  }
  const isServing = endpoint?.status === 'InService' || endpoint?.status === 'Updating'
  assert.equal(route !== undefined, isServing || endpoint?.status === 'RollingBack')
}

function fleetIdsOf({ endpointId, serving }: Endpoint): readonly string[] {
  return (serving?.variants ?? []).map(({ variantName }) =>
    fleetIdOf(endpointId, serving?.number ?? 0, variantName),
  )
}

function readyBlue(world: FakeEndpointWorld, endpoint: Endpoint | undefined): readonly string[] {
  const blue = endpoint === undefined ? [] : fleetIdsOf(endpoint)
  return world
    .observeFleets()
    .filter(({ fleetId }) => blue.includes(fleetId))
    .flatMap(({ instances }) => instances.filter(({ state }) => state === 'ready'))
    .map(({ instanceId }) => instanceId)
}

/** Lets the fleets do what they can and reconciles, until nothing changes any more. */
async function settle(world: FakeEndpointWorld, roundCount: number): Promise<void> {
  for (let round = 0; round < roundCount; round += 1) {
    await runStep(world, { kind: 'reconcile' })
    for (let fleet = world.fleets.size - 1; fleet >= 0; fleet -= 1) {
      for (const move of ['end', 'start', 'settle'] as const) world.moveFleet(fleet, move)
    }
    world.nowMs += 1_000
  }
}

test('whatever happens in whatever order, an endpoint ends in service, failed or gone, and the world matches', async () => {
  const reached = new Set<string>()
  const passed = new Set<string | undefined>()
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 20, maxLength: 100 }), async (steps) => {
      const world = new FakeEndpointWorld()
      for (const step of steps) {
        await runStep(world, step)
        passed.add(world.endpoint?.status)
      }
      await settle(world, 60)
      const { endpoint, route } = world
      reached.add(endpoint?.status ?? 'gone')
      assert.deepEqual(planEndpoint(await world.observe(NAME)), {
        actions: [],
        requeueAfterMs: undefined,
      })
      if (endpoint === undefined || endpoint.status === 'Failed') {
        assert.equal(world.fleets.size, 0)
        assert.equal(route, undefined)
        if (endpoint !== undefined) assert.ok(endpoint.failureReason)
        return
      }
      assert.equal(endpoint.status, 'InService')
      assert.deepEqual([...world.fleets.keys()], fleetIdsOf(endpoint))
      for (const variant of endpoint.serving?.variants ?? []) {
        const [fleet] = world.observeFleets()
        assert.equal(readyCountOf(fleet), variant.desiredInstanceCount)
        assert.equal(variant.currentInstanceCount, variant.desiredInstanceCount)
        assert.equal(variant.currentWeight, variant.desiredWeight)
      }
    }),
    { numRuns: 200, examples: LIVES.map((steps): [Step[]] => [[...steps]]) },
  )
  for (const end of ['Failed', 'InService', 'gone']) assert.ok(reached.has(end), end)
  // Otherwise the walk is too short to prove anything.
  for (const status of Object.keys(LEGAL)) assert.ok(passed.has(status as EndpointStatus), status)
})

test('somebody else writing in between makes the rest of a plan void', async () => {
  const world = new FakeEndpointWorld()
  world.request('create', false, 1)
  await runStep(world, { kind: 'reconcile' })
  world.moveFleet(0, 'start')
  world.moveFleet(0, 'settle')
  world.nowMs += 600
  const save = world.saveEndpoint.bind(world)
  world.saveEndpoint = () => Promise.resolve(false)
  const plan = await reconcileEndpoint(NAME, world, NEVER)
  assert.equal(plan.requeueAfterMs, 0)
  assert.deepEqual(world.events, [])
  world.saveEndpoint = save
  await reconcileEndpoint(NAME, world, NEVER)
  assert.equal(world.endpoint?.status, 'InService')
  assert.deepEqual(
    world.events.map(({ kind }) => kind),
    ['status-changed'],
  )
})
