import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  aModelInput,
  aVariant,
  ControlWorld,
  START_MS,
} from '../../../test/fixtures/control-world.ts'
import type { Wire } from '../../../test/fixtures/control-world.ts'

async function worldOfModels(count: number): Promise<ControlWorld> {
  const world = new ControlWorld()
  for (let at = 0; at < count; at += 1) {
    await world.run('CreateModel', aModelInput(`model-${String(at).padStart(2, '0')}`))
    await world.clock.advance(1000)
  }
  return world
}

function namesOf(reply: Wire): unknown[] {
  return (reply['Models'] as Wire[]).map((model) => model['ModelName'])
}

describe('lists', () => {
  test('are newest first, ten a page, and say where the next one begins', async () => {
    await using world = await worldOfModels(12)
    const first = await world.run('ListModels')
    assert.equal(namesOf(first)[0], 'model-11')
    assert.equal(namesOf(first).length, 10)
    const second = await world.run('ListModels', { NextToken: first['NextToken'], MaxResults: 100 })
    assert.deepEqual(namesOf(second), ['model-01', 'model-00'])
    assert.equal('NextToken' in second, false)
    assert.deepEqual((second['Models'] as Wire[])[1], {
      ModelName: 'model-00',
      ModelArn: 'arn:aws:sagemaker:us-east-1:000000000000:model/model-00',
      CreationTime: START_MS / 1000,
    })
  })

  test('take a time of creation as a filter', async () => {
    await using world = await worldOfModels(4)
    const reply = await world.run('ListModels', {
      CreationTimeAfter: (START_MS + 1000) / 1000,
      CreationTimeBefore: (START_MS + 3000) / 1000,
      SortOrder: 'Ascending',
    })
    assert.deepEqual(namesOf(reply), ['model-01', 'model-02'])
  })

  const misuses: [given: string, change: (token: string) => Wire][] = [
    ['another filter', (NextToken) => ({ NextToken, NameContains: '1' })],
    ['another order', (NextToken) => ({ NextToken, SortOrder: 'Ascending' })],
    ['a token that is cut short', (token) => ({ NextToken: token.slice(0, 10) })],
    ['an invented token', () => ({ NextToken: 'bm90IG91cnM' })],
    ['an empty token', () => ({ NextToken: '' })],
    ['JSON of another kind', () => ({ NextToken: Buffer.from('[1,{},3]').toString('base64url') })],
  ]
  for (const [given, change] of misuses) {
    test(`refuse a token with ${given}`, async () => {
      await using world = await worldOfModels(3)
      const { NextToken } = await world.run('ListModels', { MaxResults: 1 })
      assert.ok(typeof NextToken === 'string')
      await world.refuses('ListModels', change(NextToken), /^Invalid pagination token because "/)
      await world.refuses('ListEndpoints', { NextToken }, /^Invalid pagination token because "/)
    })
  }

  test('of configs and endpoints have the same rules', async () => {
    await using world = new ControlWorld()
    await world.serve('one', [aVariant({ ModelName: 'one' })])
    await world.serve('two', [aVariant({ ModelName: 'two' })])
    await world.run('DeleteEndpoint', { EndpointName: 'two' })
    const configs = await world.run('ListEndpointConfigs', { SortBy: 'Name', MaxResults: 1 })
    assert.equal((configs['EndpointConfigs'] as Wire[])[0]?.['EndpointConfigName'], 'two')
    assert.ok(configs['NextToken'])
    const endpoints = await world.run('ListEndpoints', { StatusEquals: 'Deleting' })
    assert.deepEqual(endpoints, {
      Endpoints: [
        {
          EndpointName: 'two',
          EndpointArn: 'arn:aws:sagemaker:us-east-1:000000000000:endpoint/two',
          CreationTime: START_MS / 1000,
          LastModifiedTime: START_MS / 1000,
          EndpointStatus: 'Deleting',
        },
      ],
    })
  })
})
