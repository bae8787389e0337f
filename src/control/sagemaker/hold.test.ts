import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ControlWorld } from '../../../test/fixtures/control-world.ts'
import type { Wire } from '../../../test/fixtures/control-world.ts'

const HOLD_MS = 2500

/** A describe on its way: whether it was answered yet, and with what. */
class Asked {
  #isAnswered = false
  readonly reply: Promise<Wire>

  constructor(world: ControlWorld) {
    this.reply = world.run('DescribeEndpoint', { EndpointName: 'ep' })
    this.reply.then(
      () => (this.#isAnswered = true),
      () => (this.#isAnswered = true),
    )
  }

  get isAnswered(): boolean {
    return this.#isAnswered
  }
}

async function worldBeing(status: 'Creating' | 'Deleting', signal?: AbortSignal) {
  const overrides = { describeHoldMs: HOLD_MS, ...(signal === undefined ? {} : { signal }) }
  const world = new ControlWorld(overrides)
  await world.serve('ep')
  const endpoint = await world.endpoint('ep')
  await world.save({ ...endpoint, status, modifiedAtMs: world.clock.nowMs() })
  return world
}

describe('DescribeEndpoint of a change that has only begun', () => {
  test('answers as soon as it has settled', async () => {
    await using world = await worldBeing('Creating')
    const asked = new Asked(world)
    await world.clock.advance(1000)
    assert.equal(asked.isAnswered, false)
    await world.save({ ...(await world.endpoint('ep')), status: 'InService' })
    assert.equal((await asked.reply)['EndpointStatus'], 'InService')
    assert.equal(world.clock.sleeperCount, 0)
  })

  test('goes on waiting through writes that do not settle it', async () => {
    await using world = await worldBeing('Creating')
    const asked = new Asked(world)
    await world.clock.advance(1000)
    await world.save(await world.endpoint('ep'))
    await world.clock.advance(HOLD_MS - 1001)
    assert.equal(asked.isAnswered, false)
    await world.clock.advance(1)
    assert.equal((await asked.reply)['EndpointStatus'], 'Creating')
  })

  test('of a deletion waits until it is gone', async () => {
    await using world = await worldBeing('Deleting')
    const asked = new Asked(world)
    await world.clock.advance(1000)
    assert.equal(asked.isAnswered, false)
    await world.store.removeEndpoint('ep', (await world.endpoint('ep')).revision)
    await assert.rejects(asked.reply, { code: 'ValidationException' })
  })

  test('ends when the client goes', async () => {
    const client = new AbortController()
    await using world = await worldBeing('Creating', client.signal)
    const asked = new Asked(world)
    await world.clock.advance(1000)
    client.abort()
    await asked.reply
    assert.equal(world.clock.sleeperCount, 0)
  })
})

describe('DescribeEndpoint answers at once', () => {
  test('when the endpoint is settled', async () => {
    await using world = new ControlWorld({ describeHoldMs: HOLD_MS })
    await world.serve('ep')
    const reply = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(reply['EndpointStatus'], 'InService')
  })

  test('when the change began long ago', async () => {
    await using world = await worldBeing('Creating')
    await world.clock.advance(20_000)
    const reply = await world.run('DescribeEndpoint', { EndpointName: 'ep' })
    assert.equal(reply['EndpointStatus'], 'Creating')
  })

  test('when there is no such endpoint', async () => {
    await using world = new ControlWorld({ describeHoldMs: HOLD_MS })
    await world.refuses('DescribeEndpoint', { EndpointName: 'none' }, /^Could not find endpoint/)
  })
})
