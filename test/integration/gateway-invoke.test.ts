import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'

import { InvokeEndpointCommand, ModelError } from '@aws-sdk/client-sagemaker-runtime'

import { GatewayWorld, variant } from '../support/gateway-world.ts'
import { until } from '../support/until.ts'

function text(body: Uint8Array | undefined): string {
  return Buffer.from(body ?? []).toString('utf8')
}

async function failureOf(call: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  return await call.then(
    () => assert.fail('the call succeeded'),
    (error: Error & Record<string, unknown>) => error,
  )
}

test('an invocation reaches the container and its reply the client', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    response.writeHead(201, {
      'content-type': 'text/csv; charset=utf-8',
      'x-amzn-sagemaker-custom-attributes': 'from-model',
      'x-secret-of-the-container': '1',
    })
    const { authorization, cookie, accept, 'user-agent': agent } = request.headers
    const custom = request.headers['x-amzn-sagemaker-custom-attributes']
    const body = Buffer.concat(pieces).toString()
    const seen = { url: request.url, body, accept, custom, authorization, cookie, agent }
    response.end(JSON.stringify({ ...seen, type: request.headers['content-type'] }))
  })
  await world.route('e', [variant('blue', [container])])
  const reply = await world.client().send(
    new InvokeEndpointCommand({
      EndpointName: 'e',
      Body: Buffer.from('1,2,3'),
      ContentType: 'text/csv',
      Accept: 'application/json',
      CustomAttributes: 'c=1',
    }),
  )
  assert.equal(reply.$metadata.httpStatusCode, 200)
  assert.match(reply.$metadata.requestId ?? '', /^[0-9a-f-]{36}$/)
  assert.equal(reply.ContentType, 'text/csv; charset=utf-8')
  assert.equal(reply.InvokedProductionVariant, 'blue')
  assert.equal(reply.CustomAttributes, 'from-model')
  assert.deepEqual(JSON.parse(text(reply.Body)), {
    url: '/invocations',
    body: '1,2,3',
    accept: 'application/json',
    custom: 'c=1',
    type: 'text/csv',
  })
})

test('a reply of several megabytes arrives whole, with and without a length', async () => {
  await using world = await GatewayWorld.start()
  const payload = Buffer.alloc(5_000_000, 'x')
  const container = await world.container((request, response) => {
    request.resume()
    if (request.headers.accept === 'sized') response.setHeader('content-length', payload.length)
    response.end(payload)
  })
  await world.route('e', [variant('blue', [container])])
  for (const Accept of ['sized', 'chunked']) {
    const reply = await world
      .client()
      .send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1'), Accept }))
    assert.equal(reply.Body?.length, payload.length)
  }
})

test('variants are chosen by weight, and a target variant of weight 0 is reached', async () => {
  await using world = await GatewayWorld.start()
  const blue = await world.container((_, response) => response.end('blue'))
  const green = await world.container((_, response) => response.end('green'))
  const dark = await world.container((_, response) => response.end('dark'))
  await world.route('e', [
    variant('blue', [blue], { weight: 3 }),
    variant('green', [green], { weight: 1 }),
    variant('dark', [dark], { weight: 0 }),
  ])
  let step = 0
  world.random = () => (step++ % 8) / 8
  const client = world.client()
  const invoke = (TargetVariant?: string) =>
    client.send(
      new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1'), TargetVariant }),
    )
  for (let count = 0; count < 20; count++) {
    // One draw for the variant, one for the instance: every second number chooses a variant.
    await invoke()
  }
  assert.equal(blue.invocationCount(), 15)
  assert.equal(green.invocationCount(), 5)
  assert.equal(text((await invoke('dark')).Body), 'dark')
  const failure = await failureOf(invoke('red'))
  assert.equal(failure.name, 'ValidationError')
  assert.equal(failure.message, 'Endpoint e has no variant red.')
})

test('the work is spread over idle instances and goes to the one with least outstanding', async () => {
  await using world = await GatewayWorld.start()
  const release = Promise.withResolvers<void>()
  const busy = await world.container(async (_, response) => {
    await release.promise
    response.end('busy')
  })
  await world.route('e', [variant('blue', [busy])])
  const client = world.client()
  const invoke = () =>
    client.send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }))
  const first = invoke()
  await until('the first invocation', () => busy.invocationCount() === 1)
  const idle = await world.container((_, response) => response.end('idle'))
  await world.route('e', [variant('blue', [busy, idle])])
  for (let count = 0; count < 5; count++) assert.equal(text((await invoke()).Body), 'idle')
  release.resolve()
  assert.equal(text((await first).Body), 'busy')
})

const failures = [
  { given: '404', status: 404, head: 'client error (404)', code: 'CLIENT_ERROR_FROM_MODEL' },
  { given: '424', status: 424, head: 'client error (424)', code: 'CLIENT_ERROR_FROM_MODEL' },
  { given: '500', status: 500, head: 'server error (500)', code: 'INTERNAL_FAILURE_FROM_MODEL' },
]
for (const { given, status, head, code } of failures) {
  test(`a container's ${given} becomes one ModelError with the original`, async () => {
    await using world = await GatewayWorld.start()
    const container = await world.container((_, response) => {
      response.statusCode = status
      response.end('no "such" thing')
    })
    await world.route('e', [variant('blue', [container])])
    const failure = await failureOf(
      world.client().send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })),
    )
    assert.ok(failure instanceof ModelError)
    assert.equal(failure.$metadata.httpStatusCode, 424)
    assert.equal(failure.OriginalStatusCode, status)
    assert.equal(failure.OriginalMessage, 'no "such" thing')
    assert.ok(
      failure.message.startsWith(
        `Received ${head} from primary with message "no "such" thing". See`,
      ),
    )
    assert.equal(failure['ErrorCode'], code)
    assert.equal(container.invocationCount(), 1)
  })
}

test('an error body too long to quote says so', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container((_, response) => {
    response.statusCode = 400
    response.end(Buffer.alloc(2_000_000, 'x'))
  })
  await world.route('e', [variant('blue', [container])])
  const failure = await failureOf(
    world.client().send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })),
  )
  assert.match(
    failure.message,
    /^Received client error \(400\) from primary and could not load the entire response body/,
  )
})

test('a container that does not answer in time is a ModelError and is told', async () => {
  await using world = await GatewayWorld.start({ invocationTimeoutMs: 2_000 })
  const closed = Promise.withResolvers<void>()
  const container = await world.container((request) => {
    request.resume()
    request.socket.once('close', () => closed.resolve())
  })
  await world.route('e', [variant('blue', [container])])
  const failure = await failureOf(
    world.client().send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })),
  )
  assert.equal(failure.name, 'ModelError')
  assert.equal(failure['OriginalStatusCode'], 0)
  assert.match(
    failure.message,
    /^Received server error \(0\) from primary with message "Your invocation timed out/,
  )
  await closed.promise
})

test('a connection that breaks before a byte of the reply is tried once on another instance', async () => {
  await using world = await GatewayWorld.start()
  const breaking = await world.container((request) => request.socket.destroy())
  const sound = await world.container((_, response) => response.end('sound'))
  await world.route('e', [variant('blue', [breaking, sound], { routingStrategy: 'RANDOM' })])
  world.random = () => 0
  const reply = await world
    .client()
    .send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }))
  assert.equal(text(reply.Body), 'sound')
  assert.equal(breaking.invocationCount(), 1)
  assert.equal(sound.invocationCount(), 1)
})

test('an invocation that breaks every instance breaks two, not all', async () => {
  await using world = await GatewayWorld.start()
  const breaking = await Promise.all(
    [1, 2, 3].map(() => world.container((request) => request.socket.destroy())),
  )
  await world.route('e', [variant('blue', breaking)])
  const failure = await failureOf(
    world.client().send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })),
  )
  assert.equal(failure.name, 'ModelError')
  assert.equal(failure['OriginalStatusCode'], 0)
  assert.equal(
    breaking.reduce((sum, { invocationCount }) => sum + invocationCount(), 0),
    2,
  )
})

test('an instance that refuses connections is passed over and reported', async () => {
  // Its time to be looked at again does not come.
  await using world = await GatewayWorld.start({}, () => 0)
  const observations: string[] = []
  world.link.onObservation(({ instanceId }) => observations.push(instanceId))
  const dead = await world.container((_, response) => response.end())
  dead.server.close()
  await once(dead.server, 'close')
  const sound = await world.container((_, response) => response.end('sound'))
  await world.route('e', [variant('blue', [dead, sound], { routingStrategy: 'RANDOM' })])
  world.random = () => 0
  const client = world.client()
  for (let count = 0; count < 5; count++) {
    const reply = await client.send(
      new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }),
    )
    assert.equal(text(reply.Body), 'sound')
  }
  await until('the observation', () => observations.length > 0)
  assert.deepEqual(observations, [dead.instanceId])
})

test('while no instance accepts connections an invocation waits for a replacement', async () => {
  await using world = await GatewayWorld.start()
  const dead = await world.container((_, response) => response.end())
  dead.server.close()
  await once(dead.server, 'close')
  await world.route('e', [variant('blue', [dead])])
  const call = world
    .client()
    .send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }))
  await until('the invocation to wait', () => world.gateway.stats().totals.waitingCount === 1)
  const replacement = await world.container((_, response) => response.end('replacement'))
  await world.route('e', [variant('blue', [replacement])])
  assert.equal(text((await call).Body), 'replacement')
})

test('without any instance for too long the answer is 503 and says when to come back', async () => {
  await using world = await GatewayWorld.start({ unreadyWaitMs: 100 })
  await world.route('e', [variant('blue', [])])
  const failure = await failureOf(
    world.client().send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })),
  )
  assert.equal(failure.name, 'ServiceUnavailable')
  assert.match(failure.message, /Variant blue of endpoint e has no healthy instance/)
})

test('past the slots invocations wait in line, past the line they are refused', async () => {
  await using world = await GatewayWorld.start({ slotsPerInstance: 1, waitingMax: 1 })
  const release = Promise.withResolvers<void>()
  const container = await world.container(async (_, response) => {
    await release.promise
    response.end('ok')
  })
  await world.route('e', [variant('blue', [container])])
  const client = world.client()
  const invoke = () =>
    client.send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }))
  const first = invoke()
  await until('the first', () => container.invocationCount() === 1)
  const second = invoke()
  await until('the second to wait', () => world.gateway.stats().totals.waitingCount === 1)
  const refused = await failureOf(invoke())
  assert.equal(refused.name, 'ServiceUnavailable')
  const { $response } = refused as unknown as { $response: { headers: Record<string, string> } }
  assert.equal($response.headers['retry-after'], '1')
  release.resolve()
  assert.deepEqual([text((await first).Body), text((await second).Body)], ['ok', 'ok'])
})

const refusedHeaders = [
  {
    given: { TargetModel: 'a.tar.gz' },
    message: 'Endpoint e is not a multi-model endpoint and does not support target model header.',
  },
  { given: { TargetContainerHostname: 'c' }, message: /target container hostname/ },
  { given: { InferenceComponentName: 'c' }, message: /no inference components/ },
  { given: { SessionId: 'NEW_SESSION' }, message: /stateful sessions/ },
  { given: { EnableExplanations: '`true`' }, message: /no explainer/ },
]
test('headers that a plain endpoint does not support are refused, never ignored', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container((_, response) => response.end('ok'))
  await world.route('e', [variant('blue', [container])])
  for (const { given, message } of refusedHeaders) {
    const failure = await failureOf(
      world
        .client()
        .send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1'), ...given })),
    )
    assert.equal(failure.name, 'ValidationError')
    assert.match(failure.message, message instanceof RegExp ? message : new RegExp(message))
  }
  assert.equal(container.invocationCount(), 0)
})

test('an unknown endpoint, or one in other case, is not found', async () => {
  await using world = await GatewayWorld.start()
  await world.route('E', [variant('blue', [])])
  const failure = await failureOf(
    world.client().send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })),
  )
  assert.equal(failure.name, 'ValidationError')
  assert.equal(failure.message, 'Endpoint e of account 000000000000 not found.')
})

test('a client that goes away cancels the work of the container and frees the slot', async () => {
  await using world = await GatewayWorld.start()
  const closed = Promise.withResolvers<void>()
  const container = await world.container((request) => {
    request.resume()
    request.socket.once('close', () => closed.resolve())
  })
  await world.route('e', [variant('blue', [container])])
  const abort = new AbortController()
  const call = world
    .client()
    .send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }), {
      abortSignal: abort.signal,
    })
  await until('the invocation', () => container.invocationCount() === 1)
  abort.abort()
  await failureOf(call)
  await closed.promise
  await until(
    'the slot',
    () => Object.keys(world.gateway.stats().outstandingByInstance).length === 0,
  )
})

test('counters say what happened, by variant', async () => {
  await using world = await GatewayWorld.start()
  let status = 200
  const container = await world.container((_, response) => {
    response.statusCode = status
    response.end('x')
  })
  await world.route('e', [variant('blue', [container])])
  const client = world.client()
  for (status of [200, 200, 400, 500]) {
    await client
      .send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }))
      .catch(() => undefined)
  }
  const counters = await until('the report', () =>
    world.link.variantCounters('e').find(({ invocationCount }) => invocationCount === 4),
  )
  assert.equal(counters.variantName, 'blue')
  assert.equal(counters.error4xxCount, 1)
  assert.equal(counters.error5xxCount, 1)
  assert.ok(counters.modelLatencyMicrosSum > 0)
  assert.equal(world.gateway.stats().totals.bufferedBytes, 0)
})
