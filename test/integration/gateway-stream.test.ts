import assert from 'node:assert/strict'
import { test } from 'node:test'

import { InvokeEndpointWithResponseStreamCommand } from '@aws-sdk/client-sagemaker-runtime'
import type { ResponseStream } from '@aws-sdk/client-sagemaker-runtime'

import { GatewayWorld, variant } from '../support/gateway-world.ts'
import { until } from '../support/until.ts'

const command = new InvokeEndpointWithResponseStreamCommand({
  EndpointName: 'e',
  Body: Buffer.from('1'),
  Accept: 'text/plain',
})

function partOf(event: ResponseStream | undefined): string {
  return Buffer.from(event?.PayloadPart?.Bytes ?? []).toString('utf8')
}

test('each chunk of the container arrives while the container goes on', async () => {
  await using world = await GatewayWorld.start()
  const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  const container = await world.container(async (request, response) => {
    response.writeHead(200, { 'content-type': `for-${request.headers.accept}` })
    response.write('one')
    await next[0].promise
    response.write('two')
    await next[1].promise
    response.end('three')
  })
  await world.route('e', [variant('blue', [container])])
  const reply = await world.client().send(command)
  assert.equal(reply.ContentType, 'for-text/plain')
  assert.equal(reply.InvokedProductionVariant, 'blue')
  assert.ok(reply.Body)
  const parts = reply.Body[Symbol.asyncIterator]()
  assert.equal(partOf((await parts.next()).value), 'one')
  // The slot is held until the last byte.
  assert.deepEqual(Object.values(world.gateway.stats().outstandingByInstance), [1])
  next[0].resolve()
  assert.equal(partOf((await parts.next()).value), 'two')
  next[1].resolve()
  assert.equal(partOf((await parts.next()).value), 'three')
  assert.equal((await parts.next()).done, true)
  assert.deepEqual(Object.values(world.gateway.stats().outstandingByInstance), [])
})

async function drain(body: AsyncIterable<ResponseStream> | undefined): Promise<string> {
  assert.ok(body)
  let text = ''
  for await (const event of body) text += partOf(event)
  return text
}

test('a container that dies in the middle of a stream gives ModelStreamError StreamBroken', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container((request, response) => {
    response.write('one')
    void until('the first chunk to be sent', () => response.writableLength === 0).then(() =>
      request.socket.destroy(),
    )
  })
  await world.route('e', [variant('blue', [container])])
  const reply = await world.client().send(command)
  await assert.rejects(drain(reply.Body), { name: 'ModelStreamError', ErrorCode: 'StreamBroken' })
})

test('a stream that takes too long in all ends with ModelInvocationTimeExceeded', async () => {
  await using world = await GatewayWorld.start({ streamTimeoutMs: 200 })
  const container = await world.container((_, response) => response.write('one'))
  await world.route('e', [variant('blue', [container])])
  const reply = await world.client().send(command)
  const code = 'ModelInvocationTimeExceeded'
  await assert.rejects(drain(reply.Body), { name: 'ModelStreamError', ErrorCode: code })
})

test('a stream whose first byte is late is an ordinary ModelError', async () => {
  await using world = await GatewayWorld.start({ invocationTimeoutMs: 150 })
  const container = await world.container(() => undefined)
  await world.route('e', [variant('blue', [container])])
  await assert.rejects(world.client().send(command), { name: 'ModelError', OriginalStatusCode: 0 })
})

test('a stream may outlast the time for its first byte', async () => {
  await using world = await GatewayWorld.start({
    // Long enough for the first byte on a machine that stops for a while.
    invocationTimeoutMs: 2_000,
    streamTimeoutMs: 60_000,
  })
  const container = await world.container(async (_, response) => {
    response.write('one')
    const beganAtMs = performance.now()
    await until('the first deadline to be over', () => performance.now() - beganAtMs > 2_500)
    response.end('two')
  })
  await world.route('e', [variant('blue', [container])])
  const reply = await world.client().send(command)
  assert.equal(await drain(reply.Body), 'onetwo')
})

test('a container that refuses before the stream begins is an ordinary ModelError', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container((_, response) => {
    response.statusCode = 400
    response.end('bad')
  })
  await world.route('e', [variant('blue', [container])])
  const expected = { name: 'ModelError', OriginalStatusCode: 400, OriginalMessage: 'bad' }
  await assert.rejects(world.client().send(command), expected)
})

test('a client that reads slowly slows the container instead of filling memory', async () => {
  await using world = await GatewayWorld.start()
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  let writtenCount = 0
  const container = await world.container(async (_, response) => {
    for (; writtenCount < 200; writtenCount++) {
      if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve))
    }
    response.end()
  })
  await world.route('e', [variant('blue', [container])])
  const reply = await world.client().send(command)
  assert.ok(reply.Body)
  const parts = reply.Body[Symbol.asyncIterator]()
  await parts.next()
  let seenCount = -1
  await until('the container to stall', () => {
    const hasStalled = writtenCount === seenCount
    seenCount = writtenCount
    return hasStalled
  })
  assert.ok(writtenCount < 100, `${writtenCount} of 200 chunks were taken from the container`)
  let receivedBytes = 0
  for (let next = await parts.next(); !next.done; next = await parts.next()) {
    receivedBytes += next.value.PayloadPart?.Bytes?.length ?? 0
  }
  assert.ok(receivedBytes > 150 * chunk.length)
})

test('a client that leaves in the middle of a stream stops the container', async () => {
  await using world = await GatewayWorld.start()
  const closed = Promise.withResolvers<void>()
  const container = await world.container((request, response) => {
    response.write('one')
    request.socket.once('close', () => closed.resolve())
  })
  await world.route('e', [variant('blue', [container])])
  const abort = new AbortController()
  const reply = await world.client().send(command, { abortSignal: abort.signal })
  const draining = drain(reply.Body)
  abort.abort()
  await assert.rejects(draining)
  await closed.promise
})
