import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
} from '@aws-sdk/client-sagemaker-runtime'

import type { VariantRoute } from '../../src/domain/routes.ts'
import { GatewayWorld, variant } from '../support/gateway-world.ts'
import type { StubContainer } from '../support/gateway-world.ts'
import { until } from '../support/until.ts'

const ATTRIBUTES = 'x-amzn-sagemaker-custom-attributes'

/** A chain of these containers, in this order, on one instance. */
function chain(containers: Readonly<Record<string, StubContainer>>): VariantRoute {
  const steps = Object.entries(containers).map(([hostname, { address }]) => {
    return { instanceId: 'i-1', hostname, address }
  })
  const [first, ...laterSteps] = steps
  assert.ok(first)
  return variant('blue', [], { instances: [{ ...first, laterSteps }] })
}

const ask = new InvokeEndpointCommand({
  EndpointName: 'e',
  Body: Buffer.from('given'),
  ContentType: 'text/given',
  Accept: 'text/wanted',
  CustomAttributes: 'tenant=7',
})

async function failureOf(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  return await call.then(
    () => assert.fail('the call succeeded'),
    (error: Error & Record<string, unknown>) => error,
  )
}

/** What one container of a chain was given. */
async function seenIn(request: IncomingMessage): Promise<readonly unknown[]> {
  const { accept, 'content-type': type, [ATTRIBUTES]: attributes } = request.headers
  return [await text(request), type, accept, attributes]
}

test('every container gets the custom attributes; those of the last one alone reach the caller', async () => {
  await using world = await GatewayWorld.start()
  const seen: Record<string, unknown> = {}
  const step = (name: string) =>
    world.container(async (request, response) => {
      seen[name] = await seenIn(request)
      response.writeHead(200, { 'content-type': `text/${name}`, [ATTRIBUTES]: `of ${name}` })
      response.end(`from ${name}`)
    })
  const [a, b, c] = [await step('a'), await step('b'), await step('c')]
  await world.route('e', [chain({ a, b, c })])
  const { Body, ContentType, CustomAttributes } = await world.client().send(ask)
  assert.deepEqual(seen, {
    a: ['given', 'text/given', undefined, 'tenant=7'],
    b: ['from a', 'text/a', undefined, 'tenant=7'],
    c: ['from b', 'text/b', 'text/wanted', 'tenant=7'],
  })
  assert.equal(Body.transformToString(), 'from c')
  assert.equal(ContentType, 'text/c')
  assert.equal(CustomAttributes, 'of c')
})

test('a chain stops at the container that refuses, names it, and counts for each how it went', async () => {
  await using world = await GatewayWorld.start()
  const a = await world.container((_, response) => response.end('a'))
  const b = await world.container((_, response) => {
    response.statusCode = 422
    response.end('no such colour')
  })
  const c = await world.container((_, response) => response.end('c'))
  await world.route('e', [chain({ a, b, c })])
  const failure = await failureOf(world.client().send(ask))
  assert.equal(failure.name, 'ModelError')
  assert.match(
    failure.message,
    /^Received client error \(422\) from b with message "no such colour"/,
  )
  assert.equal(failure['OriginalStatusCode'], 422)
  assert.deepEqual(
    [a, b, c].map((one) => one.invocationCount()),
    [1, 1, 0],
  )
  const counters = await until('the report', () => world.link.variantCounters('e')[0])
  assert.equal(counters.error4xxCount, 1)
  assert.deepEqual(
    counters.containers?.map((one) => [one.containerName, one.invocationCount, one.error4xxCount]),
    [
      ['a', 1, 0],
      ['b', 1, 1],
    ],
  )
})

test('the last container streams to the caller, who has its first bytes while it goes on', async () => {
  await using world = await GatewayWorld.start()
  const goOn = Promise.withResolvers<void>()
  const a = await world.container((_, response) => {
    response.write('in two ')
    response.end('parts')
  })
  const b = await world.container(async (request, response) => {
    response.write(`${await text(request)}: one `)
    await goOn.promise
    response.end('two')
  })
  await world.route('e', [chain({ a, b })])
  const { Body } = await world
    .client()
    .send(
      new InvokeEndpointWithResponseStreamCommand({ EndpointName: 'e', Body: Buffer.from('x') }),
    )
  assert.ok(Body)
  const parts = Body[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value } = await parts.next()
    return Buffer.from(value?.PayloadPart?.Bytes ?? []).toString()
  }
  assert.equal(await next(), 'in two parts: one ')
  // One slot, from the first container to the last byte of the last.
  assert.deepEqual(world.gateway.stats().outstandingByInstance, { 'i-1': 1 })
  goOn.resolve()
  assert.equal(await next(), 'two')
  assert.equal((await parts.next()).done, true)
})

test('a container that dies in the middle of its work fails the invocation, which is not repeated', async () => {
  await using world = await GatewayWorld.start()
  const a = await world.container((_, response) => response.end('a'))
  const b = await world.container((request) => request.socket.destroy())
  await world.route('e', [chain({ a, b })])
  const failure = await failureOf(world.client().send(ask))
  assert.equal(failure.name, 'ModelError')
  assert.match(
    failure.message,
    /^Received server error \(0\) from b with message "An error occurred/,
  )
  assert.deepEqual(
    [a, b].map((one) => one.invocationCount()),
    [1, 1],
  )
  const whole = await world.container((_, response) => response.end('whole'))
  await world.route('e', [chain({ a, whole })])
  assert.equal((await world.client().send(ask)).Body.transformToString(), 'whole')
})

test('what containers hand on counts among the bodies that are held, and is given back', async () => {
  await using world = await GatewayWorld.start({ bufferedBytesMax: 1_000_000 })
  const a = await world.container((_, response) => response.end(Buffer.alloc(2_000_000)))
  const b = await world.container((_, response) => response.end('b'))
  await world.route('e', [chain({ a, b })])
  const failure = await failureOf(world.client().send(ask))
  assert.ok(['ThrottlingException', 'ServiceUnavailable'].includes(failure.name), failure.name)
  assert.match(failure.message, /bodies of .*invocations.* of 1000000 bytes/)
  assert.equal(b.invocationCount(), 0)
  assert.equal(world.gateway.stats().totals.bufferedBytes, 0)

  const small = await world.container((_, response) => response.end(Buffer.alloc(300_000)))
  const held: number[] = []
  const last = await world.container(async (request, response) => {
    held.push(world.gateway.stats().totals.bufferedBytes)
    response.end(String((await text(request)).length))
  })
  await world.route('e', [chain({ small, last })])
  assert.equal((await world.client().send(ask)).Body.transformToString(), '300000')
  assert.deepEqual(held, [300_000 + 'given'.length])
  assert.equal(world.gateway.stats().totals.bufferedBytes, 0)
})

test('a container that answers too much for the next is not kept in memory, also when the caller streams', async () => {
  await using world = await GatewayWorld.start()
  const chunk = Buffer.alloc(1024 * 1024)
  const a = await world.container(async (_, response) => {
    for (let count = 0; count < 12; count += 1) {
      if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve))
    }
    response.end()
  })
  const b = await world.container((_, response) => response.end('b'))
  await world.route('e', [chain({ a, b })])
  const { EndpointName, Body } = ask.input
  const stream = new InvokeEndpointWithResponseStreamCommand({ EndpointName, Body })
  const failure = await failureOf(world.client().send(stream))
  assert.equal(failure.name, 'ModelError')
  assert.match(
    failure.message,
    /payload from a to b is 12582912 bytes, which has exceeded the maximum limit of 5 MB\./,
  )
  assert.equal(b.invocationCount(), 0)
  assert.equal(world.gateway.stats().totals.bufferedBytes, 0)
})
