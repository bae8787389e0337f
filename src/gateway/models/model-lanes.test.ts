import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { EndpointRoute } from '../../domain/routes.ts'
import { ManualClock } from '../../platform/manual-clock.ts'
import { Admission } from '../admission.ts'
import { Deadline } from '../deadline.ts'
import { ModelDirectory } from './model-directory.ts'
import type { ModelSlot } from './model-lane.ts'
import { ModelLanes } from './model-lanes.ts'

const SLOTS = 4
const LOADED = ['noisy', 'quiet']
const FILES = { contentHash: '0', fileBytes: 1 }

function build(concurrencyMax?: number) {
  const clock = new ManualClock()
  const nowMs = (): number => clock.nowMs()
  const admission = new Admission({
    slotsPerInstance: SLOTS,
    waitingMax: 10,
    unreadyWaitMs: 5_000,
    invocationTimeoutMs: 60_000,
    objectiveMs: 0,
    shedding: 'on',
    clock,
    nowMs,
    random: () => 0,
    onInstanceFree: () => undefined,
  })
  const directory = new ModelDirectory({ ask: () => undefined, nowMs })
  const lanes = new ModelLanes({
    admission,
    directory,
    waitingMax: 200,
    unreadyWaitMs: 5_000,
    clock,
    nowMs,
  })
  const route: EndpointRoute = {
    endpointName: 'e',
    variants: [
      {
        variantName: 'v',
        weight: 1,
        routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
        containerHostname: 'primary',
        instances: [{ instanceId: 'i', address: { kind: 'socket', path: '/i' } }],
        multiModel: { isCaching: true, ...(concurrencyMax !== undefined && { concurrencyMax }) },
      },
    ],
  }
  admission.applyRoute(undefined, route)
  lanes.applyRoute(undefined, route)
  for (const targetModel of LOADED) {
    const model = { instanceId: 'i', targetModel, modelId: targetModel, loadMs: 1, ...FILES }
    directory.apply({ kind: 'model-loaded', ...model })
  }
  const order: string[] = []
  const held: ModelSlot[] = []
  /** Holds its slot until {@link finishOldest}. */
  const call = async (targetModel: string): Promise<void> => {
    // Time is the manual clock's here, so its own timer is taken away.
    const deadline = new Deadline(60_000)
    deadline[Symbol.dispose]()
    const slot = await lanes.enter({
      endpointName: 'e',
      variantName: 'v',
      targetModel,
      avoidInstanceId: undefined,
      deadline,
    })
    order.push(targetModel)
    held.push(slot)
  }
  const finishOldest = async (): Promise<void> => {
    held.shift()?.[Symbol.dispose]()
    await turns()
  }
  return { call, finishOldest, order, held }
}

// What is admitted says so after a few turns of the microtask queue.
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a model that is asked for a hundred times holds another one up for one turn at most', async () => {
  const { call, finishOldest, order, held } = build()
  for (let index = 0; index < 100; index += 1) void call('noisy')
  await turns()
  void call('quiet')
  await turns()
  for (let turn = 0; turn < 2 && !order.includes('quiet'); turn += 1) await finishOldest()
  assert.equal(order.filter((name) => name === 'quiet').length, 1, order.join())
  while (held.length > 0) await finishOldest()
  assert.equal(order.length, 101)
})

test('two models that both want more than there is take turns', async () => {
  const { call, finishOldest, order, held } = build()
  for (const name of LOADED) for (let index = 0; index < 40; index += 1) void call(name)
  await turns()
  while (order.length < 40) await finishOldest()
  const quietCount = order.slice(SLOTS, 40).filter((name) => name === 'quiet').length
  assert.ok(quietCount >= 16 && quietCount <= 20, order.join())
  while (held.length > 0) await finishOldest()
  assert.equal(order.length, 80)
})

test('a limit for each model is kept, whatever else is free', async () => {
  const { call, finishOldest, order, held } = build(1)
  for (let index = 0; index < 10; index += 1) void call('noisy')
  await turns()
  assert.equal(held.length, 1)
  while (held.length > 0) {
    await finishOldest()
    assert.ok(held.length <= 1)
  }
  assert.equal(order.length, 10)
})
