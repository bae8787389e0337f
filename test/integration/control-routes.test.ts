import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  CreateEndpointCommand,
  CreateEndpointConfigCommand,
  CreateModelCommand,
} from '@aws-sdk/client-sagemaker'
import { signedFetch } from '../../src/cli/client/signed-fetch.ts'
import type { LogLine } from '../../src/ports/fleet-runtime.ts'
import { anEvent } from '../contracts/store.ts'
import { until } from '../support/until.ts'
import { ControlHarness } from './control-harness.ts'

const control = new ControlHarness()
before(() => control.start())
after(() => control.close())

describe("Berth's own routes", () => {
  before(async () => {
    const client = control.sagemaker()
    const PrimaryContainer = { Image: 'berth/echo' }
    await client.send(new CreateModelCommand({ ModelName: 'm', PrimaryContainer }))
    const variant = { VariantName: 'AllTraffic', ModelName: 'm', InitialInstanceCount: 1 }
    await client.send(
      new CreateEndpointConfigCommand({
        EndpointConfigName: 'C',
        ProductionVariants: [{ ...variant, InstanceType: 'ml.m5.large' }],
      }),
    )
    await client.send(new CreateEndpointCommand({ EndpointName: 'Ep', EndpointConfigName: 'C' }))
    await control.settleEndpoint()
    await control.store.recordEvent(anEvent('Ep', 5))
  })

  const get = async (
    path: string,
    query: Record<string, string> = {},
  ): Promise<Record<string, unknown>> =>
    (await (await signedFetch(control.target, { path, query })).json()) as Record<string, unknown>

  test('show an endpoint with its own instances and its newest events, and not where they listen', async () => {
    const report = await get('/berth/endpoints/ep', { limit: '1' })
    const endpoint = report['endpoint'] as Record<string, unknown>
    assert.equal(endpoint['EndpointStatus'], 'InService')
    assert.deepEqual(report['variants'], [
      {
        variantName: 'AllTraffic',
        generation: 1,
        modelName: 'm',
        instanceType: 'ml.m5.large',
        desiredInstanceCount: 1,
        instances: [{ instanceId: 'i-1', state: 'ready', pid: 42, startedAtMs: 1, readyAtMs: 2 }],
      },
    ])
    assert.deepEqual(report['events'], [anEvent('Ep', 5)])
  })

  test('list events', async () => {
    const { events } = await get('/berth/events', { endpoint: 'ep' })
    assert.deepEqual(
      (events as { readonly kind: string }[]).map(({ kind }) => kind),
      ['status-changed', 'create-requested'],
    )
  })

  test('describe the platform', async () => {
    assert.deepEqual(await get('/berth/platform'), { control: { pid: 7 } })
  })

  test('stream log lines, and stop reading when the client goes', async () => {
    const path = '/berth/endpoints/EP/logs'
    const reply = await signedFetch(control.target, { path, query: { lines: '2' } })
    assert.equal(reply.headers.get('content-type'), 'application/x-ndjson')
    const lines = (await reply.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LogLine)
    assert.deepEqual(
      lines.map(({ text }) => text),
      ['line 0', 'line 1'],
    )
    assert.equal(control.openLogStreamCount, 0)

    const gone = new AbortController()
    const query = { lines: '1', follow: 'true' }
    const following = await signedFetch(control.target, { path, query }, gone.signal)
    const reader = following.body?.getReader()
    await reader?.read()
    assert.equal(control.openLogStreamCount, 1)
    gone.abort()
    await until('the stream to be closed', () => control.openLogStreamCount === 0)
  })

  const refused: [path: string, query: Record<string, string>, message: RegExp][] = [
    ['/berth/endpoints/none', {}, /ValidationException: Could not find endpoint/],
    ['/berth/endpoints/none/logs', {}, /ValidationException: Could not find endpoint/],
    ['/berth/events', {}, /Parameter endpoint is required/],
    ['/berth/endpoints/ep', { limit: '501' }, /Parameter limit is "501", expected a whole number/],
    ['/berth/endpoints/ep/logs', { follow: 'yes' }, /Parameter follow is "yes"/],
    ['/berth/nothing', {}, /UnknownOperationException: Berth has no route GET \/berth\/nothing/],
  ]
  for (const [path, query, message] of refused) {
    test(`refuse ${path} ${JSON.stringify(query)}`, async () => {
      await assert.rejects(signedFetch(control.target, { path, query }), message)
    })
  }
})
