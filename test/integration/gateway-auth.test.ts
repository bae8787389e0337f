import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'

import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'
import fc from 'fast-check'

import { mintSession } from '../../src/wire/session-token.ts'
import { GatewayWorld, variant } from '../support/gateway-world.ts'
import { RawConnection, encodePost, signHeaders } from '../support/raw-http.ts'
import type { SignedCall } from '../support/raw-http.ts'

const PATH = '/endpoints/e/invocations'

async function startWorld() {
  const world = await GatewayWorld.start()
  const container = await world.container((_, response) => response.end('answered'))
  await world.route('e', [variant('blue', [container])])
  const { accessKeyId, secretAccessKey } = world.credentials
  const { port } = world.gateway
  const call: SignedCall = { port, path: PATH, body: '1,2', accessKeyId, secretAccessKey }
  return { world, container, call }
}

async function post(port: number, text: string): Promise<string> {
  const connection = new RawConnection(port).send(text)
  const received = await connection.expect(/\r\n\r\n.+/s)
  connection.socket.destroy()
  return received
}

for (const namesBodyHash of [true, false]) {
  test(`a signed call is served, body hash ${namesBodyHash ? 'in' : 'not in'} the head`, async () => {
    const { world, call } = await startWorld()
    await using _ = world
    const headers = await signHeaders({ ...call, namesBodyHash })
    assert.match(
      await post(call.port, encodePost(PATH, headers, call.body)),
      /^HTTP\/1.1 200 .*answered$/s,
    )
  })
}

test('temporary credentials are accepted with their own token only, and not after their end', async () => {
  const { world, call } = await startWorld()
  await using _ = world
  const grant = { roleArn: 'arn:aws:iam::000000000000:role/r', sessionName: 's', randomBytes }
  const session = mintSession(world.credentials.sessionKey, {
    ...grant,
    expiresAtMs: Date.now() + 60_000,
  })
  const command = new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })
  const reply = await world.client(session).send(command)
  assert.equal(reply.$metadata.httpStatusCode, 200)
  const expired = mintSession(world.credentials.sessionKey, {
    ...grant,
    expiresAtMs: Date.now() - 1,
  })
  await assert.rejects(world.client(expired).send(command), { name: 'ExpiredTokenException' })
  const swapped = { ...call, ...session, sessionToken: expired.sessionToken }
  const answer = await post(call.port, encodePost(PATH, await signHeaders(swapped), call.body))
  assert.match(answer, /403 .*UnrecognizedClientException/s)
})

const refusals = [
  {
    given: 'no signature',
    change: {},
    drop: ['authorization'],
    code: 'MissingAuthenticationTokenException',
  },
  {
    given: 'an unknown key',
    change: { accessKeyId: 'AKIDOTHER' },
    code: 'UnrecognizedClientException',
  },
  {
    given: 'a wrong secret',
    change: { secretAccessKey: 'wrong' },
    code: 'InvalidSignatureException',
  },
  { given: 'another region', change: { region: 'eu-west-1' }, code: 'InvalidSignatureException' },
  {
    given: 'an old date',
    change: { signedAt: new Date(Date.now() - 6 * 60_000) },
    code: 'InvalidSignatureException',
  },
  {
    given: 'a date to come',
    // Five minutes are allowed; the others are for the tests before this one.
    change: { signedAt: new Date(Date.now() + 60 * 60_000) },
    code: 'InvalidSignatureException',
  },
]
test('a request that is not signed right is refused in the words of AWS, before the container', async () => {
  const { world, container, call } = await startWorld()
  await using _ = world
  for (const { given, change, drop, code } of refusals) {
    const headers = await signHeaders({ ...call, ...change })
    for (const name of drop ?? []) delete headers[name]
    const answer = await post(call.port, encodePost(PATH, headers, call.body))
    assert.match(answer, /^HTTP\/1.1 403 /, given)
    assert.match(answer, new RegExp(`x-amzn-ErrorType: ${code}`), given)
    assert.match(answer, /x-amzn-RequestId: [0-9a-f-]{36}/, given)
  }
  assert.equal(container.invocationCount(), 0)
})

test('property: no change of a signed request, and no other signature, is let through', async () => {
  const { world, container, call } = await startWorld()
  await using _ = world
  const change = fc.oneof(
    fc.record({
      kind: fc.constant('body' as const),
      text: fc.string({ minLength: 1, maxLength: 8 }),
    }),
    fc.record({
      kind: fc.constant('host' as const),
      text: fc.constantFrom('localhost', '127.0.0.1', 'evil:80'),
    }),
    fc.record({ kind: fc.constant('path' as const), text: fc.constantFrom('?x=1', '?', '/') }),
    fc.record({
      kind: fc.constant('signature' as const),
      text: fc.stringMatching(/^[0-9a-f]{64}$/),
    }),
    fc.record({ kind: fc.constant('truncated' as const), text: fc.nat(63).map(String) }),
    fc.record({ kind: fc.constant('key' as const), text: fc.nat(10).map(String) }),
    fc.record({
      kind: fc.constant('type' as const),
      text: fc.constantFrom('text/plain', 'application/json'),
    }),
    fc.record({ kind: fc.constant('target' as const), text: fc.constant('green') }),
  )
  await fc.assert(
    fc.asyncProperty(change, fc.boolean(), async ({ kind, text }, namesBodyHash) => {
      const headers = await signHeaders({ ...call, namesBodyHash })
      const authorization = headers['authorization'] ?? ''
      const signature = /Signature=(.*)$/.exec(authorization)?.[1] ?? ''
      const { body, path } = call
      const sign = (other: string) => authorization.replace(signature, other)
      const altered = {
        body: encodePost(path, headers, `${body}${text}`),
        host: encodePost(path, { ...headers, host: text }, body),
        path: encodePost(`${path}${text}`, headers, body),
        signature: encodePost(path, { ...headers, authorization: sign(text) }, body),
        truncated: encodePost(
          path,
          { ...headers, authorization: sign(signature.slice(0, Number(text))) },
          body,
        ),
        key: encodePost(
          path,
          {
            ...headers,
            authorization: authorization.replace(
              'AKIDEXAMPLE',
              'AKIDEXAMPLE'.slice(0, Number(text)),
            ),
          },
          body,
        ),
        type: encodePost(path, { ...headers, 'content-type': text }, body),
        target: encodePost(path, { ...headers, 'x-amzn-sagemaker-target-variant': text }, body),
      }[kind]
      const answer = await post(call.port, altered)
      // An unsigned header is not a forged one: the variant it names does not exist.
      if (kind === 'target') assert.match(answer, /^HTTP\/1.1 400 .*no variant green/s)
      // With an empty query nothing was changed that a signature covers.
      else if (kind === 'path' && text === '?') assert.match(answer, /^HTTP\/1.1 200 /)
      else assert.match(answer, /^HTTP\/1.1 40[034] /)
    }),
    { numRuns: 60 },
  )
  assert.ok(container.invocationCount() < 60)
})

test('operations of the runtime that are not there yet say so, to those who may know', async () => {
  const { world, call } = await startWorld()
  await using _ = world
  for (const tail of ['async-invocations', 'invocations-bidirectional-stream']) {
    const path = `/endpoints/e/${tail}`
    const headers = await signHeaders({ ...call, path })
    const answer = await post(call.port, encodePost(path, headers, call.body))
    assert.match(
      answer,
      /^HTTP\/1.1 400 .*x-amzn-ErrorType: ValidationError.*not offered by Berth yet/s,
    )
    assert.match(await post(call.port, encodePost(path, { host: 'h' }, '1')), /^HTTP\/1.1 403 /)
  }
})

test('health is answered without a signature', async () => {
  const { world, call } = await startWorld()
  await using _ = world
  for (const [path, status] of [
    ['/berth/health', 'live'],
    ['/berth/ready', 'ready'],
  ]) {
    const answer = await post(call.port, `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)
    assert.match(answer, new RegExp(`^HTTP/1.1 200 .*{"status":"${status}"}$`, 's'))
    assert.match(answer, /Connection: keep-alive/)
  }
})
