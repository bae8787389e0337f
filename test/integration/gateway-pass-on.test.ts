import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { Server } from 'node:http'
import { test } from 'node:test'

import { GatewayWorld } from '../support/gateway-world.ts'
import type { Answer } from '../support/gateway-world.ts'
import { RawConnection } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

async function startControl(world: GatewayWorld, answer: Answer): Promise<Server> {
  const server = createServer((request, response) => void answer(request, response))
  await world.listen(server, world.paths.controlSocket)
  return server
}

test('a request reaches control with its head as it was sent, and the answer comes back so', async () => {
  await using world = await GatewayWorld.start()
  let seen: { method?: string; url?: string; rawHeaders?: string[]; body?: string } = {}
  await startControl(world, async (request, response) => {
    let body = ''
    for await (const piece of request) body += String(piece)
    const { method = '', url = '', rawHeaders } = request
    seen = { method, url, rawHeaders, body }
    response.sendDate = false
    response.writeHead(404, 'Nowhere', ['X-Two', '1', 'x-two', '2', 'Content-Length', '2'])
    response.end('no')
  })
  const head = [
    'PUT /b%20c/k?x=1&y=%2F HTTP/1.1',
    'hOST: example.com:99',
    'X-Amz-Date: 20260101T000000Z',
    'Content-Length: 3',
    'x-amz-meta-A: 1',
    'X-Amz-Meta-A: 2',
    'Connection: close',
  ]
  const received = await new RawConnection(world.gateway.port)
    .send(`${head.join('\r\n')}\r\n\r\nabc`)
    .closed()
  assert.equal(
    received,
    'HTTP/1.1 404 Nowhere\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno',
  )
  assert.equal(seen.method, 'PUT')
  assert.equal(seen.url, '/b%20c/k?x=1&y=%2F')
  assert.equal(seen.body, 'abc')
  assert.deepEqual(seen.rawHeaders?.slice(0, 10), [
    'hOST',
    'example.com:99',
    'X-Amz-Date',
    '20260101T000000Z',
    'Content-Length',
    '3',
    'x-amz-meta-A',
    '1',
    'X-Amz-Meta-A',
    '2',
  ])
})

test('chunked bodies and trailers pass in both directions', async () => {
  await using world = await GatewayWorld.start()
  await startControl(world, async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    response.writeHead(200, { Trailer: 'x-sum' })
    response.write(Buffer.concat(pieces))
    response.addTrailers({ 'x-sum': request.trailers['x-given'] ?? 'none' })
    response.end()
  })
  const head =
    'POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: SageMaker.X\r\nTransfer-Encoding: chunked\r\nTrailer: x-given\r\n\r\n'
  const connection = new RawConnection(world.gateway.port)
  connection.send(`${head}3\r\nabc\r\n0\r\nx-given: 7\r\n\r\n`)
  const received = await connection.expect(/\r\n0\r\n.*\r\n\r\n/s)
  assert.match(received, /3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n$/)
  connection.socket.destroy()
})

test('50 MB stream through at the pace of the receiver, after 100 Continue', async () => {
  await using world = await GatewayWorld.start()
  const gate = Promise.withResolvers<void>()
  let receivedBytes = 0
  await startControl(world, async (request, response) => {
    const digest = createHash('sha256')
    for await (const piece of request) {
      receivedBytes += piece.length
      digest.update(piece)
      if (receivedBytes > 1024 * 1024) await gate.promise
    }
    response.end(digest.digest('hex'))
  })
  const totalBytes = 50 * 1024 * 1024
  const upload = httpRequest({
    port: world.gateway.port,
    method: 'PUT',
    path: '/bucket/key',
    headers: { 'content-length': totalBytes, expect: '100-continue' },
  })
  upload.flushHeaders()
  await once(upload, 'continue')
  const piece = Buffer.alloc(256 * 1024, 'x')
  const digest = createHash('sha256')
  let sentBytes = 0
  const send = (): boolean => {
    digest.update(piece)
    sentBytes += piece.length
    return upload.write(piece)
  }
  while (sentBytes < totalBytes && send());
  // What is not taken by control stays with the sender: a few socket buffers are in between.
  let stalledAt = -1
  await until('the upload to stall', () => {
    while (upload.writableLength < 1024 * 1024 && sentBytes < totalBytes) send()
    const isStalled = stalledAt === sentBytes
    stalledAt = sentBytes
    return isStalled
  })
  assert.ok(sentBytes < 20 * 1024 * 1024, `${sentBytes} bytes were taken`)
  gate.resolve()
  while (sentBytes < totalBytes) if (!send()) await once(upload, 'drain')
  upload.end()
  const [response] = await once(upload, 'response')
  let text = ''
  for await (const part of response) text += String(part)
  assert.equal(text, digest.digest('hex'))
})

test('an answer that comes before the end of an upload reaches the client', async () => {
  await using world = await GatewayWorld.start()
  await startControl(world, (_, response) => {
    response.writeHead(403, { 'content-length': '6' })
    response.end('denied')
  })
  const connection = new RawConnection(world.gateway.port)
  connection.send('PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n')
  const piece = Buffer.alloc(1024 * 1024)
  for (let count = 0; count < 20; count++) connection.send(piece)
  await connection.expect(/^HTTP\/1.1 403 .*denied$/s)
  await connection.closed()
})

test('a client that goes away ends the request to control', async () => {
  await using world = await GatewayWorld.start()
  const aborted = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  await startControl(world, (request) => {
    begun.resolve()
    request.socket.once('close', () => aborted.resolve())
  })
  const connection = new RawConnection(world.gateway.port)
  connection.send('PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc')
  await begun.promise
  connection.socket.destroy()
  await aborted.promise
})

test('a request that comes while control restarts waits for it', async () => {
  await using world = await GatewayWorld.start()
  const connection = new RawConnection(world.gateway.port)
  connection.send('GET /b/k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  await until('the connection', () => world.gateway.stats().totals.connectionCount === 1)
  await startControl(world, (_, response) => response.end('back'))
  assert.match(await connection.closed(), /^HTTP\/1.1 200 .*back/s)
})

const away = [
  {
    given: 'SageMaker',
    head: ['POST / HTTP/1.1', 'X-Amz-Target: SageMaker.ListModels'],
    expected: /^HTTP\/1.1 503 .*"__type":"ServiceUnavailable"/s,
  },
  {
    given: 'STS',
    head: ['POST / HTTP/1.1', 'Content-Type: application/x-www-form-urlencoded'],
    expected: /^HTTP\/1.1 503 .*<ErrorResponse.*<Code>ServiceUnavailable<\/Code>/s,
  },
  {
    given: 'S3',
    head: ['GET /bucket/key HTTP/1.1'],
    expected: /^HTTP\/1.1 503 .*<Error><Code>ServiceUnavailable<\/Code>/s,
  },
  {
    given: 'Berth',
    head: ['GET /berth/endpoints HTTP/1.1'],
    expected: /^HTTP\/1.1 503 .*x-amzn-ErrorType: ServiceUnavailable/s,
  },
]
test('without control each protocol gets its own 503, after a while', async () => {
  await using world = await GatewayWorld.start()
  const calls = away.map(async ({ given, head, expected }) => {
    const text = [...head, 'Host: h', 'Connection: close'].join('\r\n')
    const received = await new RawConnection(world.gateway.port).send(`${text}\r\n\r\n`).closed()
    assert.match(received, expected, given)
    assert.match(received, /Retry-After: 1/, given)
  })
  await Promise.all(calls)
})

test('control that dies before it answers is a 503, in the middle of an answer a broken one', async () => {
  await using world = await GatewayWorld.start()
  let isBegun = false
  await startControl(world, async (request, response) => {
    if (isBegun) {
      response.writeHead(200, { 'content-length': '10' })
      response.write('abc')
      await until('the part to be sent', () => response.writableLength === 0)
    }
    request.socket.destroy()
  })
  const get = 'GET /b/k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
  assert.match(await new RawConnection(world.gateway.port).send(get).closed(), /^HTTP\/1.1 503 /)
  isBegun = true
  const received = await new RawConnection(world.gateway.port).send(get).closed()
  assert.match(received, /^HTTP\/1.1 200 /)
  assert.doesNotMatch(received, /503/)
})
