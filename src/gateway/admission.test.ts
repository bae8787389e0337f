import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { EndpointRoute, InstanceRoute } from '../domain/routes.ts'
import { ManualClock } from '../platform/manual-clock.ts'
import { Admission } from './admission.ts'
import type { AdmissionOptions, Slot } from './admission.ts'
import { Deadline } from './deadline.ts'

function instance(instanceId: string): InstanceRoute {
  return { instanceId, address: { kind: 'socket', path: `/${instanceId}` } }
}

function route(...instanceIds: readonly string[]): EndpointRoute {
  const variant = {
    variantName: 'v',
    weight: 1,
    routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
    containerHostname: 'primary',
    instances: instanceIds.map(instance),
  } as const
  return { endpointName: 'e', variants: [variant] }
}

// Time is the manual clock's here, so its own timer is taken away.
function newDeadline(): Deadline {
  const deadline = new Deadline(60_000)
  deadline[Symbol.dispose]()
  return deadline
}

function build(given: Partial<AdmissionOptions> = {}) {
  const clock = new ManualClock()
  const freed: string[] = []
  const admission = new Admission({
    slotsPerInstance: 1,
    waitingMax: 10,
    unreadyWaitMs: 5_000,
    invocationTimeoutMs: 60_000,
    objectiveMs: 0,
    shedding: 'on',
    ...given,
    clock,
    nowMs: () => clock.nowMs(),
    random: () => 0,
    onInstanceFree: (instanceId) => freed.push(instanceId),
  })
  let current: EndpointRoute | undefined
  const apply = (next: EndpointRoute | undefined): void => {
    admission.applyRoute(current, next)
    current = next
  }
  // An invocation that is refused is refused later, like one that waited: callers here make no difference.
  const enter = async (deadline: Deadline = newDeadline()): Promise<Slot> =>
    await admission.enter({
      endpointName: 'e',
      variantName: 'v',
      avoidInstanceId: undefined,
      deadline,
    })
  return { clock, freed, admission, apply, enter }
}

test('slots go to those who wait longest', async () => {
  const { apply, enter } = build()
  apply(route('a'))
  const first = await enter()
  const order: number[] = []
  const waiting = [1, 2, 3].map(async (number) => {
    const slot = await enter()
    order.push(number)
    slot[Symbol.dispose]()
  })
  first[Symbol.dispose]()
  await Promise.all(waiting)
  assert.deepEqual(order, [1, 2, 3])
})

test('a slot given back twice is given back once', async () => {
  const { apply, enter, admission } = build()
  apply(route('a'))
  const slot = await enter()
  slot[Symbol.dispose]()
  slot[Symbol.dispose]()
  const next = await enter()
  assert.deepEqual(admission.outstandingByInstance(), { a: 1 })
  next[Symbol.dispose]()
})

test('a new instance takes what waits', async () => {
  const { apply, enter } = build()
  apply(route('a'))
  await enter()
  const waiting = enter()
  apply(route('a', 'b'))
  assert.equal((await waiting).instance.instanceId, 'b')
})

test('who waits leaves the line when its client goes, and says so when its deadline passes', async () => {
  const { apply, enter, admission } = build()
  apply(route('a'))
  await enter()
  const gone = newDeadline()
  const late = newDeadline()
  const calls = [enter(gone), enter(late)]
  assert.equal(admission.waitingCount, 2)
  gone.abandon()
  late.pass()
  await assert.rejects(calls[0] ?? Promise.resolve(), { name: 'ClientGone' })
  await assert.rejects(calls[1] ?? Promise.resolve(), { name: 'ServiceUnavailable' })
  assert.equal(admission.waitingCount, 0)
})

test('an instance that left keeps its count until its last invocation, then is free', async () => {
  const { apply, enter, admission, freed } = build()
  apply(route('a'))
  const slot = await enter()
  apply(route('b'))
  assert.deepEqual(admission.outstandingByInstance(), { a: 1 })
  assert.deepEqual(freed, [])
  slot[Symbol.dispose]()
  assert.deepEqual(admission.outstandingByInstance(), {})
  assert.deepEqual(freed, ['a'])
})

test('who waits for a variant that is removed is told', async () => {
  const { apply, enter } = build()
  apply(route('a'))
  await enter()
  const waiting = enter()
  apply(undefined)
  await assert.rejects(waiting, /has just been removed/)
  await assert.rejects(enter(), /has just been removed/)
})

test('an instance that refused is left alone for a second, then tried again', async () => {
  const { apply, enter, admission, clock } = build()
  apply(route('a'))
  admission.recordRefusal(instance('a'))
  let isAdmitted = false
  const waiting = enter().then((slot) => {
    isAdmitted = true
    return slot
  })
  await clock.advance(999)
  assert.equal(isAdmitted, false)
  await clock.advance(1)
  assert.equal(isAdmitted, true)
  assert.equal((await waiting).instance.instanceId, 'a')
})

test('without an instance an invocation waits five seconds, with busy ones until its own deadline', async () => {
  const { apply, enter, clock, admission } = build()
  apply(route())
  const unready = assert.rejects(enter(), /no healthy instance/)
  await clock.advance(5_000)
  await unready
  apply(route('a'))
  await enter()
  const busy = newDeadline()
  const waiting = assert.rejects(enter(busy), { name: 'ClientGone' })
  await clock.advance(60_000)
  assert.equal(admission.waitingCount, 1)
  busy.abandon()
  await waiting
})

test('property: slots and line stay within bounds, and every waiter is admitted in the end', async () => {
  const anyStep = fc.oneof(
    fc.constant('enter' as const),
    fc.constant('give back' as const),
    fc.constant('replace' as const),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), async (steps) => {
      const { apply, enter, admission } = build({ slotsPerInstance: 2, waitingMax: 3 })
      let generation = 0
      const held: Slot[] = []
      let pendingCount = 0
      const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
      apply(route('a0', 'b0'))
      for (const step of steps) {
        if (step === 'give back') held.shift()?.[Symbol.dispose]()
        else if (step === 'replace') apply(route(`a${++generation}`, `b${generation}`))
        else {
          pendingCount += 1
          enter().then(
            (slot) => {
              pendingCount -= 1
              held.push(slot)
            },
            () => {
              pendingCount -= 1
            },
          )
        }
        await settle()
        assert.ok(admission.waitingCount <= 3)
        assert.equal(pendingCount, admission.waitingCount)
        for (const count of Object.values(admission.outstandingByInstance())) assert.ok(count <= 2)
      }
      while (held.length > 0) {
        held.shift()?.[Symbol.dispose]()
        await settle()
      }
      assert.equal(pendingCount, 0)
      assert.deepEqual(admission.outstandingByInstance(), {})
    }),
    { numRuns: 50 },
  )
})
