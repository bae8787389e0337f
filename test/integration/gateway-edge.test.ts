import assert from 'node:assert/strict'
import { test } from 'node:test'

import { GatewayWorld, variant } from '../support/gateway-world.ts'
import { RawConnection, encodePost, signHeaders } from '../support/raw-http.ts'
import { until } from '../support/until.ts'
import type { GatewayLimits } from '../../src/gateway/limits.ts'

const PATH = '/endpoints/e/invocations'
const HEALTH = 'GET /berth/health HTTP/1.1\r\nHost: h\r\n\r\n'

async function startWorld(limits: Partial<GatewayLimits> = {}) {
  const world = await GatewayWorld.start(limits)
  const container = await world.container((request, response) => {
    request.resume()
    request.once('end', () => response.end('answered'))
  })
  await world.route('e', [variant('blue', [container])])
  const { accessKeyId, secretAccessKey } = world.credentials
  const { port } = world.gateway
  const signed = async (body: string, headers: Record<string, string> = {}) =>
    signHeaders({ port, path: PATH, body, accessKeyId, secretAccessKey, headers })
  return { world, container, port, signed }
}

const malformed = [
  { given: 'no HTTP at all', bytes: 'hello\r\n\r\n', status: 400 },
  { given: 'a bad version', bytes: 'GET / HTTP/9.9\r\nHost: h\r\n\r\n', status: 400 },
  { given: 'no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', status: 400 },
  { given: 'a NUL in a header', bytes: 'GET / HTTP/1.1\r\nHost: h\r\nA: \0\r\n\r\n', status: 400 },
  {
    given: 'a folded header',
    bytes: 'GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n 2\r\n\r\n',
    status: 400,
  },
  {
    given: 'a huge header',
    bytes: `GET / HTTP/1.1\r\nHost: h\r\nA: ${'x'.repeat(20_000)}\r\n\r\n`,
    status: 431,
  },
  {
    given: 'two lengths',
    bytes: `POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12`,
    status: 400,
  },
  {
    given: 'a length and chunks',
    bytes: `POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    given: 'chunked twice',
    bytes: `POST ${PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    given: 'a disguised chunked',
    bytes: `POST ${PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    given: 'a negative length',
    bytes: `POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n`,
    status: 400,
  },
  {
    given: 'a bare line feed in the head',
    bytes: `POST ${PATH} HTTP/1.1\nHost: h\nContent-Length: 0\n\n`,
    status: 400,
  },
]
test('bytes that are no well-formed request are answered and closed; others are served on', async () => {
  const { world, port } = await startWorld()
  await using _ = world
  const bystander = new RawConnection(port).send(HEALTH)
  await bystander.expect(/live/)
  for (const { given, bytes, status } of malformed) {
    const connection = new RawConnection(port).send(bytes)
    const received = await connection.closed()
    assert.match(received, new RegExp(`^HTTP/1.1 ${status} `), given)
    assert.equal(received.match(/HTTP\/1\.1 \d/g)?.length, 1, given)
  }
  bystander.send(HEALTH)
  await bystander.expect(/live.*live/s)
  bystander.socket.destroy()
})

test('garbage after a request whose answer is due closes the connection and is not answered in its place', async () => {
  const { world, port, signed, container } = await startWorld()
  await using _ = world
  const text = encodePost(PATH, await signed('1'), '1')
  const received = await new RawConnection(port).send(`${text}GARBAGE\r\n\r\n`).closed()
  assert.doesNotMatch(received, /^HTTP\/1.1 400 /)
  assert.ok(container.invocationCount() <= 1)
})

test('a body over the limit is refused by its announced length, before it is sent', async () => {
  const { world, port, signed, container } = await startWorld({ bodyBytesMax: 1_000 })
  await using _ = world
  const headers = { ...(await signed('')), 'content-length': '1001' }
  const head = encodePost(PATH, headers, '')
  const received = await new RawConnection(port).send(head).closed()
  assert.match(received, /^HTTP\/1.1 413 .*x-amzn-ErrorType: RequestEntityTooLargeException/s)
  assert.match(received, /Connection: close/)
  assert.equal(container.invocationCount(), 0)
})

test('a client that pushes 100 MB regardless still reads the refusal, and nothing is kept', async () => {
  const { world, port, signed } = await startWorld()
  await using _ = world
  const headers = { ...(await signed('')), 'content-length': String(100 * 1024 * 1024) }
  const connection = new RawConnection(port).send(encodePost(PATH, headers, ''))
  const piece = Buffer.alloc(1024 * 1024)
  for (let count = 0; count < 100; count++) connection.send(piece)
  await connection.expect(/^HTTP\/1.1 413 /)
  await connection.closed()
  assert.equal(world.gateway.stats().totals.bufferedBytes, 0)
})

test('a chunked body is refused as soon as it passes the limit', async () => {
  const { world, port, signed, container } = await startWorld({ bodyBytesMax: 1_000 })
  await using _ = world
  const { 'content-length': _length, ...headers } = await signed('')
  const lines = Object.entries({ ...headers, 'transfer-encoding': 'chunked' })
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const connection = new RawConnection(port).send(`POST ${PATH} HTTP/1.1\r\n${head}\r\n`)
  connection.send(`3e8\r\n${'x'.repeat(1_000)}\r\n`).send('1\r\nx\r\n')
  assert.match(await connection.closed(), /^HTTP\/1.1 413 /)
  assert.equal(container.invocationCount(), 0)
})

test('all bodies together are bounded: past it 503, and room again afterwards', async () => {
  const { world, port, signed } = await startWorld({ bufferedBytesMax: 1_500 })
  await using _ = world
  const held = new RawConnection(port)
  held.send(
    encodePost(PATH, { ...(await signed('x'.repeat(1_000))) }, 'x'.repeat(999)).replace(
      /content-length: 999/,
      'content-length: 1000',
    ),
  )
  await until('the body to be held', () => world.gateway.stats().totals.bufferedBytes === 999)
  const body = 'y'.repeat(1_000)
  const text = encodePost(PATH, await signed(body), body)
  assert.match(await new RawConnection(port).send(text).expect(/\r\n\r\n.+/s), /^HTTP\/1.1 503 /)
  held.send('x')
  await held.expect(/answered/)
  const again = new RawConnection(port).send(encodePost(PATH, await signed(body), body))
  await again.expect(/answered/)
  again.socket.destroy()
  held.socket.destroy()
})

test('a head that does not come to its end is closed with 408', async () => {
  const { world, port } = await startWorld({ headersTimeoutMs: 200 })
  await using _ = world
  const slow = new RawConnection(port).send('POST / HTTP/1.1\r\nHost: h\r\nX-A: ')
  assert.match(await slow.closed(), /^HTTP\/1.1 408 /)
})

test('a body that does not come to its end is closed with 408', async () => {
  const { world, port, signed, container } = await startWorld({ bodyTimeoutMs: 200 })
  await using _ = world
  const headers = { ...(await signed('12345')), 'content-length': '5' }
  const slow = new RawConnection(port).send(encodePost(PATH, headers, '12'))
  assert.match(await slow.closed(), /^HTTP\/1.1 408 .*RequestTimeout/s)
  assert.equal(container.invocationCount(), 0)
})

test('100 Continue is sent for a good head only', async () => {
  const { world, port, signed } = await startWorld()
  await using _ = world
  const headers = { ...(await signed('1')), 'content-length': '1', expect: '100-continue' }
  const good = new RawConnection(port).send(encodePost(PATH, headers, ''))
  await good.expect(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
  good.send('1')
  await good.expect(/100 Continue.*HTTP\/1.1 200 .*answered/s)
  good.socket.destroy()
  const unsigned: Record<string, string> = { ...headers }
  delete unsigned['authorization']
  const bad = await new RawConnection(port).send(encodePost(PATH, unsigned, '')).closed()
  assert.match(bad, /^HTTP\/1.1 403 /)
})

test('2,000 idle connections take little memory and disturb nobody', async () => {
  const { world, port, signed } = await startWorld()
  await using _ = world
  const before = process.memoryUsage.rss()
  const idle = Array.from({ length: 2_000 }, () => new RawConnection(port))
  await until('all connections', () => world.gateway.stats().totals.connectionCount >= 2_000)
  const call = new RawConnection(port).send(encodePost(PATH, await signed('1'), '1'))
  await call.expect(/answered/)
  // Both ends of each connection are in this process.
  const perConnection = (process.memoryUsage.rss() - before) / 2_000
  assert.ok(perConnection < 60_000, `${perConnection} bytes a connection`)
  for (const { socket } of [...idle, call]) socket.destroy()
})

test('connections past the limit are closed, those before are kept', async () => {
  const { world, port } = await startWorld({ connectionsMax: 2 })
  await using _ = world
  const kept = [new RawConnection(port).send(HEALTH), new RawConnection(port).send(HEALTH)]
  for (const connection of kept) await connection.expect(/live/)
  await new RawConnection(port).closed()
  for (const connection of kept) assert.equal(connection.isClosed, false)
  for (const { socket } of kept) socket.destroy()
})
