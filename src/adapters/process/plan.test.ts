import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { planFleet } from './plan.ts'
import type { Action, FleetView, InstanceView, Phase } from './plan.ts'

const TIMES = { drainMsMax: 60_000, terminateMsMax: 30_000, steadyMs: 10_000, stopPollMs: 25 }
const NOW_MS = 1_000_000

function instance(changes: Partial<InstanceView> = {}): InstanceView {
  return {
    instanceId: 'a',
    ordinal: 0,
    phase: 'ready',
    phaseSinceMs: NOW_MS,
    startedAtMs: NOW_MS - 500,
    hasEnded: false,
    isGroupEmpty: false,
    isDrained: false,
    ...changes,
  }
}

function fleet(changes: Partial<FleetView> = {}): FleetView {
  return { desiredCount: 1, instances: [], backOffByOrdinal: new Map(), ...changes }
}

const failedBefore = (waitMs: number): FleetView['backOffByOrdinal'] =>
  new Map([[0, { failureCount: 2, failedAtMs: NOW_MS - 1, notBeforeMs: NOW_MS + waitMs }]])

const CASES: readonly {
  given: string
  fleet: FleetView
  actions: readonly Action[]
  lookAgainAfterMs?: number
}[] = [
  { given: 'nothing runs', fleet: fleet(), actions: [{ kind: 'start', ordinal: 0 }] },
  { given: 'all is well', fleet: fleet({ instances: [instance()] }), actions: [] },
  {
    given: 'the last start failed just now',
    fleet: fleet({ backOffByOrdinal: failedBefore(700) }),
    actions: [],
    lookAgainAfterMs: 700,
  },
  {
    given: 'an instance is unhealthy: it is stopped and replaced',
    fleet: fleet({ instances: [instance({ phase: 'unhealthy' })] }),
    actions: [
      { kind: 'drain', instanceId: 'a', reason: 'unhealthy' },
      { kind: 'start', ordinal: 0 },
    ],
  },
  {
    given:
      'an instance has died: its replacement does not wait for the look after what it left behind',
    fleet: fleet({ instances: [instance({ phase: 'unhealthy', hasEnded: true })] }),
    actions: [
      { kind: 'start', ordinal: 0 },
      { kind: 'kill', instanceId: 'a' },
    ],
    lookAgainAfterMs: 25,
  },
  {
    given: 'one too many: the one that does not serve yet goes',
    fleet: fleet({
      instances: [
        instance({ instanceId: 'starting', ordinal: 1, phase: 'starting', startedAtMs: 1 }),
        instance({ instanceId: 'ready' }),
      ],
    }),
    actions: [{ kind: 'drain', instanceId: 'starting', reason: 'surplus' }],
  },
  {
    given: 'a draining instance in use',
    fleet: fleet({ desiredCount: 0, instances: [instance({ phase: 'draining' })] }),
    actions: [],
    lookAgainAfterMs: 25,
  },
  {
    given: 'a draining instance that nobody uses any more',
    fleet: fleet({
      desiredCount: 0,
      instances: [instance({ phase: 'draining', isDrained: true })],
    }),
    actions: [{ kind: 'terminate', instanceId: 'a' }],
  },
  {
    given: 'a draining instance still in use after a minute',
    fleet: fleet({
      desiredCount: 0,
      instances: [instance({ phase: 'draining', phaseSinceMs: NOW_MS - 60_000 })],
    }),
    actions: [{ kind: 'terminate', instanceId: 'a' }],
  },
  {
    given: 'an instance that ignored SIGTERM for 30 s',
    fleet: fleet({
      desiredCount: 0,
      instances: [instance({ phase: 'terminating', phaseSinceMs: NOW_MS - 30_000 })],
    }),
    actions: [{ kind: 'kill', instanceId: 'a' }],
  },
  {
    given: 'a leader that is gone and left children',
    fleet: fleet({ desiredCount: 0, instances: [instance({ hasEnded: true })] }),
    actions: [{ kind: 'kill', instanceId: 'a' }],
    lookAgainAfterMs: 25,
  },
  {
    given: 'an instance with nothing left of it',
    fleet: fleet({
      desiredCount: 0,
      instances: [instance({ hasEnded: true, isGroupEmpty: true })],
    }),
    actions: [{ kind: 'remove', instanceId: 'a' }],
  },
  {
    given: 'an instance ready for a while after failures',
    fleet: fleet({
      instances: [instance({ phaseSinceMs: NOW_MS - 10_000, startedAtMs: NOW_MS })],
      backOffByOrdinal: failedBefore(0),
    }),
    actions: [{ kind: 'settle', instanceId: 'a' }],
  },
]

for (const { given, fleet: view, actions, lookAgainAfterMs } of CASES) {
  test(`given ${given}`, () => {
    assert.deepEqual(planFleet(view, NOW_MS, TIMES), { actions, lookAgainAfterMs })
  })
}

const PHASES: readonly Phase[] = [
  'preparing',
  'starting',
  'ready',
  'unhealthy',
  'draining',
  'terminating',
  'killing',
]

const anyInstances = fc
  .array(
    fc.record({
      phase: fc.constantFrom(...PHASES),
      hasEnded: fc.boolean(),
      isGroupEmpty: fc.boolean(),
      isDrained: fc.boolean(),
      phaseSinceMs: fc.integer({ min: NOW_MS - 100_000, max: NOW_MS }),
      startedAtMs: fc.integer({ min: NOW_MS - 100_000, max: NOW_MS }),
    }),
    { maxLength: 8 },
  )
  .map((changes) =>
    changes.map((change, index) =>
      instance({ ...change, instanceId: `i${index}`, ordinal: index }),
    ),
  )

test('a plan never starts and stops for surplus, and ends with at most the desired count', () => {
  fc.assert(
    fc.property(anyInstances, fc.integer({ min: 0, max: 8 }), (instances, desiredCount) => {
      const { actions } = planFleet(fleet({ desiredCount, instances }), NOW_MS, TIMES)
      const starts = actions.filter(({ kind }) => kind === 'start')
      const drains = actions.filter((a) => a.kind === 'drain' && a.reason === 'surplus')
      assert.ok(starts.length === 0 || drains.length === 0)
      const isWanted = ({ phase, hasEnded }: InstanceView): boolean =>
        !hasEnded && ['preparing', 'starting', 'ready'].includes(phase)
      const wantedCount = instances.filter(isWanted).length
      assert.equal(wantedCount + starts.length - drains.length, desiredCount)
    }),
  )
})

test('a ready instance is only ever drained, never stopped directly', () => {
  fc.assert(
    fc.property(anyInstances, fc.integer({ min: 0, max: 8 }), (instances, desiredCount) => {
      const { actions } = planFleet(fleet({ desiredCount, instances }), NOW_MS, TIMES)
      const served = instances.filter(({ phase, hasEnded }) => phase === 'ready' && !hasEnded)
      for (const action of actions) {
        if (action.kind !== 'terminate' && action.kind !== 'kill') continue
        assert.ok(!served.some(({ instanceId }) => instanceId === action.instanceId))
      }
    }),
  )
})

test('whatever is on its way out is looked at again', () => {
  fc.assert(
    fc.property(anyInstances, (instances) => {
      const plan = planFleet(fleet({ desiredCount: 0, instances }), NOW_MS, TIMES)
      assert.ok(
        instances.length === 0 || plan.actions.length > 0 || plan.lookAgainAfterMs !== undefined,
      )
    }),
  )
})
