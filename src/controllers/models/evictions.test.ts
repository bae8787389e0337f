import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ModelNews } from '../../domain/multi-model/model-messages.ts'
import { parseModelSettings } from '../../domain/multi-model/settings.ts'
import { ManualClock } from '../../platform/manual-clock.ts'
import type { ContainerAnswer, ModelContainer } from '../../ports/model-container.ts'
import { Evictions } from './evictions.ts'
import type { ModelInstance } from './model-instance.ts'
import { ModelLoader } from './model-loader.ts'
import { Residents } from './residents.ts'
import { Revocations } from './revocations.ts'

const INSTANCE: ModelInstance = {
  endpointName: 'e',
  variantName: 'v',
  fleetId: 'f',
  instanceId: 'i',
  pid: undefined,
  address: { kind: 'socket', path: '/i' },
  prefixUrl: 's3://models/',
  isCaching: true,
  settings: parseModelSettings({}).settings,
  memoryBytesMax: Infinity,
  loadsMax: 1,
}
const modelOf = (name: string) => ({ modelId: `id-${name}`, targetModel: name, directory: '/m' })
const NEVER = new AbortController().signal

/** An instance with gateways that answer only when the test does. */
function build(gatewayIds: string[], load: () => Promise<ContainerAnswer>) {
  const clock = new ManualClock()
  const told: { readonly gatewayId: string; readonly news: ModelNews }[] = []
  const unloaded: string[] = []
  const nowMs = (): number => clock.nowMs()
  const sleep = (ms: number, signal: AbortSignal) => clock.sleep(ms, signal)
  const container: ModelContainer = {
    load,
    unload: (_address, { targetModel }) => {
      unloaded.push(targetModel)
      return Promise.resolve({ kind: 'done', seat: undefined })
    },
    list: () => Promise.resolve([]),
  }
  const revocations = new Revocations('i', {
    connectedGatewayIds: () => gatewayIds,
    held: { isGatewayAway: () => false },
    tell: (gatewayId, news) => told.push({ gatewayId, news }),
    nowMs,
    sleep,
  })
  const residents = new Residents('gdsf', nowMs)
  const loadingById = new Map<string, string>()
  const world = {
    container,
    instance: INSTANCE,
    residents,
    revocations,
    loadingById,
    isDoubted: () => false,
    life: NEVER,
    tellAll: () => undefined,
    recordEvent: () => undefined,
    recordTime: () => undefined,
    nowMs,
    sleep,
  }
  const evictions = new Evictions(world)
  const loader = new ModelLoader({ ...world, evictions })
  const reside = (targetModel: string): void => {
    const files = { contentHash: targetModel, fileBytes: 1, loadMs: 1 }
    residents.add({ instanceId: 'i', targetModel, modelId: `id-${targetModel}`, ...files })
  }
  const answer = (gatewayId: string, isIdle: boolean): void => {
    const { news } = told.findLast((one) => one.gatewayId === gatewayId) ?? {}
    assert.ok(news?.kind === 'model-revoked')
    revocations.recordAnswer(gatewayId, { ...news, kind: 'model-released', isIdle })
  }
  return {
    clock,
    evictions,
    loader,
    loadingById,
    reside,
    residents,
    revocations,
    answer,
    told,
    unloaded,
  }
}

test('a load that throws leaves nothing that others would wait for', async () => {
  const full: ContainerAnswer = { kind: 'full', detail: 'no memory left' }
  const answers = [() => Promise.reject(new Error('cut off')), () => Promise.resolve(full)]
  const { loader, loadingById } = build([], () => answers.shift()?.() ?? Promise.resolve(full))
  await assert.rejects(loader.load(modelOf('a'), NEVER), /cut off/)
  assert.equal(loadingById.size, 0)
  await assert.rejects(loader.load(modelOf('b'), NEVER), /b does not fit into the instance/)
})

test('a model is taken away in the very moment in which the last gateway lets go, and not before', async () => {
  const { evictions, reside, residents, answer, unloaded } = build(['g1', 'g2'], () =>
    Promise.reject(new Error('not asked')),
  )
  reside('a')
  const evicting = evictions.evictOne('b', { why: 'no room' }, NEVER)
  answer('g1', true)
  assert.ok(residents.find('a'))
  answer('g2', true)
  assert.equal(residents.find('a'), undefined)
  assert.equal(await evicting, 'evicted')
  assert.deepEqual(unloaded, ['a'])
})

test('an answer to an earlier question is none to the present one', async () => {
  const { revocations, answer, told } = build(['g1', 'g2'], () => Promise.reject(new Error('no')))
  const first = revocations.revoke('id-a', () => assert.fail('granted'))
  const { news: question } = told[0] ?? {}
  assert.ok(question?.kind === 'model-revoked')
  answer('g2', false)
  assert.equal(await first, false)
  const second = revocations.revoke('id-a', () => assert.fail('granted'))
  answer('g2', true)
  revocations.recordAnswer('g1', { ...question, kind: 'model-released', isIdle: true })
  answer('g1', false)
  assert.equal(await second, false)
})

test('a gateway that asks for the model, or connects anew, keeps it', async () => {
  const { revocations, answer } = build(['g1', 'g2'], () => Promise.reject(new Error('no')))
  const wanted = revocations.revoke('id-a', () => assert.fail('granted'))
  answer('g1', true)
  revocations.refuse('id-a')
  assert.equal(await wanted, false)
  const cut = revocations.revoke('id-a', () => assert.fail('granted'))
  answer('g2', true)
  revocations.recordReconnection('g2')
  assert.equal(await cut, false)
})

test('a gateway that stands still holds evictions up for ten seconds, and is asked again when it speaks', async () => {
  const { clock, revocations, answer } = build(['g1', 'g2'], () => Promise.reject(new Error('no')))
  let grantedCount = 0
  const revoke = (): Promise<boolean> => revocations.revoke('id-a', () => (grantedCount += 1))
  for (let count = 0; count < 5; count += 1) {
    const revoked = revoke()
    answer('g1', true)
    await clock.advance(2_000)
    assert.equal(await revoked, false)
  }
  await clock.advance(2_000)
  const withoutIt = revoke()
  answer('g1', true)
  assert.equal(await withoutIt, true)
  // It was asked of something earlier, and only now says so.
  answer('g2', true)
  const withIt = revoke()
  answer('g1', true)
  answer('g2', false)
  assert.equal(await withIt, false)
  assert.equal(grantedCount, 1)
})
