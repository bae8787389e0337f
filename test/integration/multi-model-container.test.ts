import assert from 'node:assert/strict'
import { suite, test } from 'node:test'

import { PlainModels } from '../support/plain-models.ts'

interface ContainerLog {
  /** Model calls, in order. */
  readonly log: readonly string[]
  /** Most models that it had at a time. */
  readonly heldMax: number
}

const ask = async (plain: PlainModels): Promise<ContainerLog> =>
  (await plain.askContainer('GET', '/log')) as ContainerLog

function loadCount({ log }: ContainerLog): number {
  return log.filter((line) => line.startsWith('POST')).length
}

async function assertAnswers(plain: PlainModels, names: readonly string[]): Promise<void> {
  const answers = await Promise.all(names.map((name) => plain.invoke(name)))
  assert.deepEqual(
    answers,
    names.map((name) => ({ name })),
  )
}

suite('a plain HTTP container with many models', () => {
  test('a hundred callers of two cold models cause two loads', async () => {
    await using plain = await PlainModels.start()
    const names = Array.from({ length: 100 }, (_, index) => `m${index % 2}`)
    await assertAnswers(plain, names)
    assert.equal(loadCount(await ask(plain)), 2)
  })

  test('507: models that nobody uses are unloaded until the load fits, and every answer is the right one', async () => {
    await using plain = await PlainModels.start({ environment: { MODELS_MAX: '3' } })
    const names = Array.from({ length: 60 }, (_, index) => `m${(index * 7) % 10}`)
    await assertAnswers(plain, names)
    const log = await ask(plain)
    assert.equal(log.heldMax, 3)
    const evictions = plain.events.filter(({ kind }) => kind === 'model-evicted')
    assert.ok(evictions.length >= 7, `${evictions.length} evictions`)
    assert.match(evictions[0]?.reason ?? '', /the container has no room/)
  })

  test('507 with everything pinned: the caller is told that it does not fit, the pinned one stays', async () => {
    await using plain = await PlainModels.start({
      environment: { MODELS_MAX: '1' },
      settings: { BERTH_MODEL_PIN: 'kept' },
    })
    await assertAnswers(plain, ['kept'])
    await assert.rejects(plain.invoke('other'), {
      name: 'ServiceUnavailable',
      message: /Model other does not fit into the instance: no memory left/,
    })
    await assertAnswers(plain, ['kept'])
    assert.equal(plain.events.filter(({ kind }) => kind === 'model-evicted').length, 0)
  })

  for (const LIES of ['none-loaded', 'others-loaded']) {
    test(`what GET /models says is no ground to answer by (${LIES})`, async () => {
      await using plain = await PlainModels.start({ environment: { LIES } })
      await assertAnswers(plain, ['m1', 'm2', 'm1'])
      assert.equal(loadCount(await ask(plain)), 2)
    })
  }

  test('a container that has lost its models gets them again, and the callers notice nothing', async () => {
    await using plain = await PlainModels.start()
    await assertAnswers(plain, ['m1', 'm2'])
    await plain.askContainer('POST', '/forget')
    await assertAnswers(plain, ['m1', 'm2', 'm1', 'm2'])
    assert.equal(loadCount(await ask(plain)), 4)
  })

  test('a lost model that is another one in the store by now is loaded as that one, under an id of its own', async () => {
    await using plain = await PlainModels.start()
    await assertAnswers(plain, ['m1'])
    const before = await plain.askContainer('GET', '/models')
    plain.contentByName.set('m1', 'replaced')
    await plain.refetch('m1')
    await assertAnswers(plain, ['m1'])
    await plain.askContainer('POST', '/forget')
    assert.deepEqual(await plain.invoke('m1'), { name: 'replaced' })
    assert.notDeepEqual(await plain.askContainer('GET', '/models'), before)
  })

  test('a cold storm of 500 models: each loaded once, each answers as itself', async () => {
    await using plain = await PlainModels.start()
    const names = Array.from({ length: 1_000 }, (_, index) => `m${index % 500}`)
    await assertAnswers(plain, names)
    assert.equal(loadCount(await ask(plain)), 500)
  })
})
