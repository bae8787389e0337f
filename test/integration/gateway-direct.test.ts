import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
} from '@aws-sdk/client-sagemaker-runtime'

import type { VariantRoute } from '../../src/domain/routes.ts'
import { GatewayWorld, variant } from '../support/gateway-world.ts'
import type { StubContainer } from '../support/gateway-world.ts'
import { until } from '../support/until.ts'

/** A variant whose callers name the containers, all of one instance. */
function directVariant(containers: Readonly<Record<string, StubContainer>>): VariantRoute {
  const directContainers = Object.entries(containers).map(([hostname, { address }]) => {
    return { hostname, instances: [{ instanceId: 'i-1', hostname, address }] }
  })
  return variant('blue', [], { directContainers })
}

function ask(TargetContainerHostname?: string, body = '1'): InvokeEndpointCommand {
  const target = TargetContainerHostname === undefined ? {} : { TargetContainerHostname }
  return new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from(body), ...target })
}

async function failureOf(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  return await call.then(
    () => assert.fail('the call succeeded'),
    (error: Error & Record<string, unknown>) => error,
  )
}

test('only the container that is named answers, and its failures bear its name', async () => {
  await using world = await GatewayWorld.start()
  const a = await world.container((_, response) => response.end('from a'))
  const b = await world.container((request, response) => {
    response.statusCode = 422
    response.end(`not for ${String(request.headers['x-amzn-sagemaker-target-container-hostname'])}`)
  })
  await world.route('e', [directVariant({ a, b })])
  const client = world.client()
  const { Body, InvokedProductionVariant } = await client.send(ask('a'))
  assert.equal(Body.transformToString(), 'from a')
  assert.equal(InvokedProductionVariant, 'blue')
  const failure = await failureOf(client.send(ask('b')))
  assert.match(
    failure.message,
    /^Received client error \(422\) from b with message "not for undefined"/,
  )
  assert.deepEqual([a.invocationCount(), b.invocationCount()], [1, 1])

  const [counters] = await until('the report', () => {
    const reported = world.link.variantCounters('e')
    return reported[0]?.invocationCount === 2 && reported
  })
  const counted = counters?.containers?.map((one) => [
    one.containerName,
    one.invocationCount,
    one.error4xxCount,
  ])
  assert.deepEqual(counted, [
    ['a', 1, 0],
    ['b', 1, 1],
  ])
})

test('a container must be named, and be one of them', async () => {
  await using world = await GatewayWorld.start()
  const a = await world.container((_, response) => response.end('from a'))
  await world.route('e', [directVariant({ a })])
  await world.route('plain', [variant('blue', [a])])
  const client = world.client()
  const missing = await failureOf(client.send(ask()))
  assert.equal(missing.name, 'ValidationError')
  assert.match(missing.message, /requires target container hostname header: one of a\.$/)
  const unknown = await failureOf(client.send(ask('c')))
  assert.equal(unknown.name, 'ValidationError')
  assert.equal(unknown.message, 'Variant blue of endpoint e has no container c; it has a.')
  const plain = { EndpointName: 'plain', Body: '1', TargetContainerHostname: 'a' }
  const forbidden = await failureOf(client.send(new InvokeEndpointCommand(plain)))
  assert.match(forbidden.message, /does not support target container hostname header\.$/)
  assert.equal(a.invocationCount(), 0)
})

test('a container that hangs fills its own slots and line, and not those of its siblings', async () => {
  await using world = await GatewayWorld.start({ slotsPerInstance: 2, waitingMax: 1 })
  const released = Promise.withResolvers<void>()
  const slow = await world.container(async (_, response) => {
    await released.promise
    response.end('late')
  })
  const quick = await world.container((_, response) => response.end('at once'))
  await world.route('e', [directVariant({ slow, quick })])
  const client = world.client()
  const held = [client.send(ask('slow')), client.send(ask('slow'))]
  await until('both slots to be taken', () => slow.invocationCount() === 2)
  held.push(client.send(ask('slow')))
  await until('the line to be full', () => world.gateway.stats().totals.waitingCount === 1)
  const refused = await failureOf(client.send(ask('slow')))
  assert.equal(refused.name, 'ServiceUnavailable')
  assert.match(refused.message, /^1 invocations already wait for container slow of variant blue /)
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await client.send(ask('quick'))).Body.transformToString(), 'at once')
  }
  // Both containers are of one instance: it is drained when nothing is outstanding on either.
  assert.deepEqual(world.gateway.stats().outstandingByInstance, { 'i-1': 2 })
  released.resolve()
  for (const { Body } of await Promise.all(held)) assert.equal(Body.transformToString(), 'late')
  assert.deepEqual(world.gateway.stats().outstandingByInstance, {})
})

test('bodies that wait for one container leave room for those of its siblings', async () => {
  const bufferedBytesMax = 2_000_000
  await using world = await GatewayWorld.start({ bufferedBytesMax, slotsPerInstance: 1 })
  const released = Promise.withResolvers<void>()
  const slow = await world.container(async (_, response) => {
    await released.promise
    response.end('late')
  })
  const quick = await world.container((_, response) => response.end('at once'))
  await world.route('e', [directVariant({ slow, quick })])
  const client = world.client()
  const large = 'x'.repeat(700_000)
  const held = [client.send(ask('slow', large)), client.send(ask('slow', large))]
  await until('the second to wait', () => world.gateway.stats().totals.waitingCount === 1)
  const refused = await failureOf(client.send(ask('slow', 'x'.repeat(500_000))))
  assert.match(refused.message, /^The bodies of invocations of container slow of endpoint e exceed/)
  const answered = await client.send(ask('quick', 'x'.repeat(400_000)))
  assert.equal(answered.Body.transformToString(), 'at once')
  released.resolve()
  await Promise.all(held)
})

test('a container that refuses connections is waited for, while its siblings answer', async () => {
  await using world = await GatewayWorld.start({ unreadyWaitMs: 0 })
  const gone = await world.container((_, response) => response.end('never'))
  const there = await world.container((_, response) => response.end('there'))
  gone.server.close()
  gone.server.closeAllConnections()
  await until('the server to be closed', () => !gone.server.listening)
  await world.route('e', [directVariant({ gone, there })])
  const client = world.client()
  const failure = await failureOf(client.send(ask('gone')))
  assert.equal(failure.name, 'ServiceUnavailable')
  assert.match(
    failure.message,
    /^Container gone of variant blue of endpoint e has no healthy instance/,
  )
  assert.equal((await client.send(ask('there'))).Body.transformToString(), 'there')
})

test('a stream comes from the container that is named', async () => {
  await using world = await GatewayWorld.start()
  const a = await world.container((_, response) => response.end('whole'))
  const b = await world.container((_, response) => {
    response.write('one ')
    response.end('two')
  })
  await world.route('e', [directVariant({ a, b })])
  const { Body = [] } = await world.client().send(
    new InvokeEndpointWithResponseStreamCommand({
      EndpointName: 'e',
      Body: Buffer.from('1'),
      TargetContainerHostname: 'b',
    }),
  )
  let text = ''
  for await (const { PayloadPart } of Body) text += Buffer.from(PayloadPart?.Bytes ?? []).toString()
  assert.equal(text, 'one two')
})
