import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ENDPOINT_ID,
  creating,
  endpoint,
  fleet,
  generation,
  instance,
  variant,
} from '../../../test/support/endpoints.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import type { InstanceState, ObservedFleet, StartFailure } from '../../domain/fleet.ts'
import type { Container } from '../../domain/model.ts'
import { routeOf } from './generation.ts'
import type { ObservedEndpoint } from './observed.ts'
import { planEndpoint } from './plan.ts'
import type { EndpointAction } from './plan.ts'

const NOW_MS = 100_000

function world(
  of: Endpoint | undefined,
  fleets: readonly ObservedFleet[] = [],
  changes: Partial<ObservedEndpoint> = {},
): ObservedEndpoint {
  return {
    endpointName: 'digits',
    endpoint: of,
    fleets,
    isRouted: false,
    publishedRoute: undefined,
    nowMs: NOW_MS,
    settings: { startAttemptsMax: 3, steadyMs: 500 },
    ...changes,
  }
}

/** A world in which the route of this generation is what gateways have. */
function routed(of: Endpoint, fleets: readonly ObservedFleet[], number = 1): ObservedEndpoint {
  const fleetsById = new Map(fleets.map((one) => [one.fleetId, one]))
  const serving = of.serving?.number === number ? of.serving : generation(number)
  return world(of, fleets, { isRouted: true, publishedRoute: routeOf(of, serving, fleetsById) })
}

test('the route of several containers begins at the first and names the others in order', () => {
  const container = (hostname: string) => ({
    hostname,
    state: 'ready' as const,
    reason: undefined,
    address: { kind: 'socket' as const, path: `/run/${hostname}.sock` },
    pid: undefined,
    restartCount: 0,
  })
  const of = creating()
  const pipeline = instance('i-1', { containers: ['a', 'b', 'c'].map(container) })
  const partial = instance('i-2', { ...pipeline, instanceId: 'i-2', state: 'starting' })
  const one = fleet([pipeline, partial])
  const [routed] = routeOf(of, generation(1), new Map([[one.fleetId, one]])).variants
  assert.deepEqual(
    routed?.instances.map((route) => [
      route.instanceId,
      route.hostname,
      ...(route.laterSteps ?? []).map(({ hostname }) => hostname),
    ]),
    [['i-1', 'a', 'b', 'c']],
  )
})

test('containers that callers name are routed to each where it is ready itself', () => {
  const container = (hostname: string, state: InstanceState) => ({
    hostname,
    state,
    reason: undefined,
    address: { kind: 'socket' as const, path: `/run/${hostname}.sock` },
    pid: undefined,
    restartCount: 0,
  })
  const both = [container('a', 'ready'), container('b', 'ready')]
  const one = [container('a', 'ready'), container('b', 'unhealthy')]
  const instances = [
    instance('i-1', { containers: both }),
    instance('i-2', { containers: one, state: 'starting' }),
    instance('i-3', { containers: one, state: 'starting', readyAtMs: undefined }),
    instance('i-4', { containers: both, state: 'draining' }),
  ]
  const direct = generation(1, [
    variant({ executionMode: 'Direct', containers: both.map(aContainer) }),
  ])
  const seen = fleet(instances)
  const [route] = routeOf(creating(), direct, new Map([[seen.fleetId, seen]])).variants
  assert.deepEqual(route?.instances, [])
  assert.deepEqual(
    route?.directContainers?.map(({ hostname, instances: of }) => [
      hostname,
      ...of.map((one) => `${one.instanceId}/${one.hostname}`),
    ]),
    [
      ['a', 'i-1/a', 'i-2/a'],
      ['b', 'i-1/b'],
    ],
  )
})

function aContainer({ hostname }: { readonly hostname: string }): Container {
  return { hostname, image: 'berth/echo', environment: {}, modelData: undefined }
}

function failure(changes: Partial<StartFailure> = {}): StartFailure {
  return {
    cause: 'exited',
    reason: 'exited with code 3; last log lines:\nno such tensor',
    atMs: NOW_MS,
    consecutiveCount: 1,
    permanent: false,
    ...changes,
  }
}

const kindsOf = (observed: ObservedEndpoint): readonly string[] =>
  planEndpoint(observed).actions.map(({ kind }) => kind)

function savedBy(observed: ObservedEndpoint): Endpoint {
  const saved = planEndpoint(observed).actions.find(({ kind }) => kind === 'save-endpoint')
  assert.ok(saved?.kind === 'save-endpoint', 'nothing was saved')
  return saved.endpoint
}

const updating = endpoint({
  status: 'Updating',
  lastGeneration: 2,
  deployment: { kind: 'update', green: generation(2), startedAtMs: NOW_MS - 1_000 },
})
const scaling = endpoint({
  status: 'Updating',
  serving: generation(1, [
    variant({ desiredInstanceCount: 2, desiredWeight: 5, currentInstanceCount: 1 }),
  ]),
  deployment: {
    kind: 'capacity',
    previous: generation(1, [variant({ currentInstanceCount: 1 })]),
    startedAtMs: NOW_MS - 1_000,
  },
})
const blue = fleet([instance('blue')])
const green = fleet([instance('green')], { generation: 2 })

const KINDS: readonly { given: string; world: ObservedEndpoint; kinds: readonly string[] }[] = [
  { given: 'a new endpoint', world: world(creating()), kinds: ['apply-fleet'] },
  {
    given: 'a new endpoint whose instances start',
    world: world(creating(), [fleet([instance('a', { state: 'starting' })])]),
    kinds: [],
  },
  {
    given: 'a new endpoint whose instances are ready: the route comes before the status',
    world: world(creating(), [blue]),
    kinds: ['publish-route', 'save-endpoint', 'record-event'],
  },
  {
    given: 'a new endpoint whose instance has only just become ready',
    world: world(creating(generation(1, [variant({ currentInstanceCount: 1 })])), [
      fleet([instance('a', { readyAtMs: NOW_MS - 100 })]),
    ]),
    kinds: [],
  },
  { given: 'an endpoint in service as it should be', world: routed(endpoint(), [blue]), kinds: [] },
  {
    given: 'an endpoint in service after control started again',
    world: world(endpoint(), [blue], { isRouted: true }),
    kinds: ['publish-route'],
  },
  {
    given: 'an endpoint in service of which nothing is left',
    world: world(endpoint(), []),
    kinds: ['apply-fleet', 'publish-route', 'save-endpoint'],
  },
  {
    given: 'fleets of an earlier generation and of an earlier endpoint of the same name',
    world: routed(endpoint(), [
      blue,
      fleet([instance('old')], { generation: 7 }),
      fleet([instance('other')], { endpointId: 'ffffffffffff' }),
      fleet([instance('ending', { state: 'draining' })], {
        generation: 8,
        desiredInstanceCount: 0,
      }),
    ]),
    kinds: ['remove-fleet', 'remove-fleet'],
  },
  { given: 'an update', world: routed(updating, [blue]), kinds: ['apply-fleet'] },
  {
    given: 'an update whose green is ready: blue stays until that is recorded',
    world: routed(updating, [blue, green]),
    kinds: ['publish-route', 'save-endpoint', 'record-event'],
  },
  {
    given: 'an update that is over',
    world: routed(
      endpoint({
        lastGeneration: 2,
        serving: generation(2, [variant({ currentInstanceCount: 1 })]),
      }),
      [blue, green],
      2,
    ),
    kinds: ['remove-fleet'],
  },
  { given: 'new counts', world: routed(scaling, [blue]), kinds: ['apply-fleet'] },
  {
    given: 'an endpoint that failed',
    world: world(endpoint({ status: 'Failed', serving: undefined }), [blue], { isRouted: true }),
    kinds: ['withdraw-route', 'remove-fleet'],
  },
  {
    given: 'an endpoint to delete',
    world: routed(endpoint({ status: 'Deleting' }), [blue]),
    kinds: ['withdraw-route', 'remove-fleet'],
  },
  {
    given: 'an endpoint to delete whose instances still drain',
    world: world(endpoint({ status: 'Deleting' }), [
      fleet([instance('a', { state: 'draining' })], { desiredInstanceCount: 0 }),
    ]),
    kinds: [],
  },
  {
    given: 'an endpoint to delete of which only the record is left',
    world: world(endpoint({ status: 'Deleting' })),
    kinds: ['remove-endpoint'],
  },
  {
    given: 'what an endpoint left behind that is gone',
    world: world(undefined, [blue], { isRouted: true }),
    kinds: ['withdraw-route', 'remove-fleet'],
  },
  { given: 'nothing at all', world: world(undefined), kinds: [] },
]

for (const { given, world: observed, kinds } of KINDS) {
  test(`given ${given}: ${kinds.join(', ') || 'nothing to do'}`, () => {
    assert.deepEqual(kindsOf(observed), kinds)
    assert.deepEqual(planEndpoint(observed), planEndpoint(observed))
  })
}

test('a created endpoint goes into service with its counts, weights and config', () => {
  const saved = savedBy(world(creating(), [blue]))
  assert.equal(saved.status, 'InService')
  assert.equal(saved.deployment, undefined)
  assert.equal(saved.configName, 'config-1')
  assert.equal(saved.serving?.variants[0]?.currentInstanceCount, 1)
  assert.equal(saved.modifiedAtMs, NOW_MS)
  assert.equal(saved.revision, 1)
})

const FAILURES: readonly { given: string; failure: StartFailure; reason: RegExp }[] = [
  {
    given: 'three failed starts',
    failure: failure({ consecutiveCount: 3 }),
    reason:
      /^The primary container for production variant AllTraffic exited with code 3; last log lines:\nno/,
  },
  {
    given: 'pings that were never answered well',
    failure: failure({
      cause: 'ping',
      reason: 'did not answer GET /ping with 200 within 480 s: last answer 503 "loading"',
    }),
    reason:
      /^The primary container for production variant AllTraffic did not pass the ping health check\. Please check CloudWatch logs for this endpoint\. Cause: it did not answer GET \/ping with 200 within 480 s: last answer 503 "loading"$/,
  },
  {
    given: 'an unknown image',
    failure: failure({ cause: 'image', reason: 'no program for image x.', permanent: true }),
    reason:
      /^Please make sure all images included in the model for the production variant AllTraffic exist.*no program/,
  },
  {
    given: 'model data that cannot be had',
    failure: failure({ cause: 'model-data', reason: 'Failed to download', permanent: true }),
    reason: /^Failed to download$/,
  },
  {
    given: 'a reason that is too long',
    failure: failure({ cause: 'model-data', reason: 'x'.repeat(3_000), permanent: true }),
    reason: /^x{1023}…$/,
  },
]

for (const { given, failure: startFailure, reason } of FAILURES) {
  test(`given ${given}, a new endpoint fails with the cause in words`, () => {
    const starting = [instance('a', { state: 'starting' })]
    const saved = savedBy(world(creating(), [fleet(starting, { startFailure })]))
    assert.equal(saved.status, 'Failed')
    assert.match(saved.failureReason ?? '', reason)
    assert.equal(saved.serving, undefined)
  })
}

test('a failed start or two are no reason to give up', () => {
  const startFailure = failure({ consecutiveCount: 2 })
  assert.deepEqual(
    kindsOf(world(creating(), [fleet([instance('a', { state: 'starting' })], { startFailure })])),
    [],
  )
})

test('an endpoint whose time is over fails and says how far it came', () => {
  const starting = fleet([instance('a', { state: 'starting' })])
  const saved = savedBy(world(creating(), [starting], { nowMs: 570_000 }))
  assert.equal(saved.status, 'Failed')
  assert.equal(
    saved.failureReason,
    'Only 0 of 1 instances of production variant AllTraffic were ready within 570 s.',
  )
})

test('an update that fails leaves the old generation in service, with the reason', () => {
  const startFailure = failure({ consecutiveCount: 3 })
  const observed = routed(updating, [
    blue,
    fleet([instance('g', { state: 'starting' })], { generation: 2, startFailure }),
  ])
  assert.deepEqual(kindsOf(observed), ['save-endpoint', 'record-event'])
  const saved = savedBy(observed)
  assert.equal(saved.status, 'InService')
  assert.equal(saved.serving?.number, 1)
  assert.equal(saved.configName, 'config-1')
  assert.match(saved.failureReason ?? '', /exited with code 3/)
  assert.equal(saved.deployment, undefined)
})

test('an update that succeeds forgets the reason of an earlier failure', () => {
  const saved = savedBy(routed({ ...updating, failureReason: 'earlier' }, [blue, green]))
  assert.equal(saved.failureReason, undefined)
  assert.equal(saved.configName, 'config-2')
})

test('new weights count when the new counts are there, in record and route alike', () => {
  const two = fleet([instance('a'), instance('b')])
  const { actions } = planEndpoint(routed(scaling, [two]))
  const published = actions.find(({ kind }) => kind === 'publish-route')
  assert.equal(published?.kind === 'publish-route' && published.route.variants[0]?.weight, 5)
  const saved = savedBy(routed(scaling, [two]))
  assert.equal(saved.status, 'InService')
  assert.equal(saved.serving?.variants[0]?.currentWeight, 5)
  assert.equal(saved.serving?.variants[0]?.currentInstanceCount, 2)
})

test('new counts that cannot be reached are rolled back, and then the endpoint is in service again', () => {
  const startFailure = failure({ consecutiveCount: 3 })
  const half = fleet([instance('blue'), instance('b', { state: 'starting' })], { startFailure })
  const back = savedBy(routed(scaling, [half]))
  assert.equal(back.status, 'RollingBack')
  assert.equal(back.serving?.variants[0]?.desiredInstanceCount, 1)
  const [apply] = planEndpoint(routed(back, [half])).actions
  assert.ok(apply?.kind === 'apply-fleet' && apply.count === 1)
  const saved = savedBy(routed(back, [blue]))
  assert.equal(saved.status, 'InService')
  assert.match(saved.failureReason ?? '', /exited with code 3/)
  assert.equal(saved.serving?.variants[0]?.currentWeight, 1)
})

test('a failure from before new counts were asked for is not held against them', () => {
  const startFailure = failure({ consecutiveCount: 9, atMs: NOW_MS - 2_000 })
  const half = fleet([instance('blue'), instance('b', { state: 'starting' })], { startFailure })
  assert.deepEqual(kindsOf(routed(scaling, [half])), [])
})

test('a killed instance leaves route and record, its endpoint stays in service', () => {
  const wounded = fleet([instance('a', { state: 'unhealthy' })])
  const { actions } = planEndpoint(world(endpoint(), [wounded], { isRouted: true }))
  const expected: readonly EndpointAction['kind'][] = ['publish-route', 'save-endpoint']
  assert.deepEqual(
    actions.map(({ kind }) => kind),
    expected,
  )
  const saved = savedBy(world(endpoint(), [wounded]))
  assert.equal(saved.status, 'InService')
  assert.equal(saved.serving?.variants[0]?.currentInstanceCount, 0)
  assert.equal(saved.modifiedAtMs, 0)
})

test('two variants are both waited for, and each gets its own fleet', () => {
  const both = generation(1, [
    variant({ variantName: 'a' }),
    variant({ variantName: 'b', desiredInstanceCount: 2 }),
  ])
  const { actions } = planEndpoint(world(creating(both)))
  assert.deepEqual(
    actions.map((action) => action.kind === 'apply-fleet' && [action.spec.fleetId, action.count]),
    [
      [`${ENDPOINT_ID}-1-a`, 1],
      [`${ENDPOINT_ID}-1-b`, 2],
    ],
  )
  const onlyA = fleet([instance('a')], { variantName: 'a' })
  assert.ok(!kindsOf(world(creating(both), [onlyA])).includes('record-event'))
})
