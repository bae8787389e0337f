import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { GatewayWorld, variant } from '../support/gateway-world.ts'
import type { Answer } from '../support/gateway-world.ts'
import { RawConnection, encodePost, signHeaders } from '../support/raw-http.ts'
import { until } from '../support/until.ts'
import { BodyBudget } from '../../src/gateway/body-budget.ts'
import { Front } from '../../src/gateway/front/front.ts'
import { DEFAULT_LIMITS } from '../../src/gateway/limits.ts'
import type { GatewayLimits } from '../../src/gateway/limits.ts'
import { systemClock } from '../../src/platform/clock.ts'

const PATH = '/endpoints/e/invocations'
const STREAM_PATH = '/endpoints/e/invocations-response-stream'
const HEALTH = 'GET /berth/health HTTP/1.1\r\nHost: h\r\n\r\n'

const echo: Answer = async (request, response) => {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  response.setHeader('content-type', request.headers['content-type'] ?? 'none')
  response.end(Buffer.concat(pieces))
}

async function startWorld(answer: Answer = echo, limits: Partial<GatewayLimits> = {}) {
  const world = await GatewayWorld.start(limits)
  const container = await world.container(answer)
  await world.route('e', [variant('blue', [container])])
  const { accessKeyId, secretAccessKey } = world.credentials
  const { port } = world.gateway
  const post = async (body: string, headers: Record<string, string> = {}, path = PATH) => {
    const call = { port, path, body, accessKeyId, secretAccessKey, headers }
    return encodePost(path, await signHeaders(call), body)
  }
  return { world, container, port, post }
}

function replyCount(received: string): number {
  return received.match(/HTTP\/1\.1 \d/g)?.length ?? 0
}

test('a request that arrives byte by byte is served, and the connection after it', async () => {
  const { world, port, post } = await startWorld()
  await using _ = world
  const connection = new RawConnection(port)
  for (const body of ['first', 'second']) {
    const bytes = Buffer.from(await post(body), 'latin1')
    for (const byte of bytes) connection.send(Buffer.from([byte]))
    await connection.expect(new RegExp(`${body}$`))
  }
  assert.equal(replyCount(connection.received), 2)
  connection.socket.destroy()
})

test('a body is put together whatever pieces it comes in', async () => {
  const { world, port, post } = await startWorld()
  await using _ = world
  const body = Array.from({ length: 40_000 }, (_unused, k) => k % 10).join('')
  const text = await post(body)
  const headEnd = text.indexOf('\r\n\r\n') + 4
  for (const cut of [1, headEnd - 1, headEnd, headEnd + 1, headEnd + 20_000, text.length - 1]) {
    const connection = new RawConnection(port).send(text.slice(0, cut))
    await until('the first piece to be read', () => connection.socket.bytesWritten === cut)
    connection.send(text.slice(cut))
    await until('the reply', () => connection.received.endsWith(body))
    connection.socket.destroy()
  }
  assert.equal(world.gateway.stats().totals.bufferedBytes, 0)
})

test('requests sent at once are answered in turn, one at a time', async () => {
  let outstandingCount = 0
  let outstandingCountMax = 0
  const { world, port, post } = await startWorld(async (request, response) => {
    outstandingCount += 1
    outstandingCountMax = Math.max(outstandingCountMax, outstandingCount)
    await echo(request, response)
    outstandingCount -= 1
  })
  await using _ = world
  const bodies = Array.from({ length: 20 }, (_unused, k) => `body-${k};`)
  const texts = await Promise.all(bodies.map((body) => post(body)))
  const connection = new RawConnection(port).send(texts.join(''))
  const received = await connection.expect(/body-19;$/)
  assert.deepEqual(received.match(/body-\d+;/g), bodies)
  assert.equal(outstandingCountMax, 1)
  connection.socket.destroy()
})

test('a client that sends far ahead of its turn is left unread, and served in the end', async () => {
  const release = Promise.withResolvers<void>()
  const { world, port, post } = await startWorld(async (request, response) => {
    await release.promise
    await echo(request, response)
  })
  await using _ = world
  const body = 'x'.repeat(100_000)
  const connection = new RawConnection(port)
  for (let count = 0; count < 200; count++) connection.send(await post(body))
  const waiting = (): number => connection.socket.writableLength
  let seen = -1
  await until('the client to be held up', () => {
    const isStill = seen === waiting()
    seen = waiting()
    return isStill
  })
  assert.ok(waiting() > 5_000_000, `${waiting()} bytes were not read`)
  release.resolve()
  await until('all answers', () => replyCount(connection.received) === 200)
  connection.socket.destroy()
})

test('a body that has come whole before its turn does not leave the connection unread', async () => {
  // More than is read ahead of a turn; its last piece makes it so.
  const [first, last] = ['x'.repeat(40_000), 'x'.repeat(30_000)]
  const head = `POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 70000\r\n\r\n`
  const accepted: Socket[] = []
  const front = new Front({
    limits: DEFAULT_LIMITS,
    clock: systemClock,
    isStopping: () => false,
    handOver: (socket) => socket.destroy(),
    serve: async (incoming) => {
      await until('the socket to be left unread', () => accepted[0]?.isPaused() === true)
      using body = await incoming.receiveBody({
        ...DEFAULT_LIMITS,
        budget: new BodyBudget(1e6).of('e'),
      })
      incoming.client.sendWhole(200, {}, body.bytes)
    },
  })
  const server = createServer((socket) => {
    accepted.push(socket)
    front.accept(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const connection = new RawConnection(Object(server.address()).port)
  for (const count of [1, 2]) {
    connection.send(head + first)
    const readBytes = count * (head.length + first.length) + (count - 1) * last.length
    await until('the first piece to be read', () => accepted[0]?.bytesRead === readBytes)
    connection.send(last)
    await until(`reply ${count}`, () => replyCount(connection.received) === count)
  }
  connection.socket.destroy()
  server.close()
})

const handedOver: readonly (readonly [given: string, next: string])[] = [
  ['health', HEALTH],
  ['a blank line before it', `\r\n${HEALTH}`],
  ['a tab in a header', 'GET /berth/health HTTP/1.1\r\nHost: h\r\nA: 1\t2\r\n\r\n'],
]
for (const [given, next] of handedOver) {
  test(`what comes after an invocation is handed over with all its bytes: ${given}`, async () => {
    const { world, port, post } = await startWorld()
    await using _ = world
    const connection = new RawConnection(port).send(`${await post('first')}${next}`)
    await connection.expect(/first.*"live"/s)
    connection.send(HEALTH)
    await connection.expect(/"live".*"live"/s)
    connection.send(await post('last'))
    await connection.expect(/last$/)
    connection.socket.destroy()
  })
}

test('an invocation that is not regular is served as well', async () => {
  const { world, port, post } = await startWorld()
  await using _ = world
  const text = await post('hello')
  const chunked = text.replace('content-length: 5', 'transfer-encoding: chunked')
  const texts = [
    text.replace('HTTP/1.1\r\n', 'HTTP/1.1\r\nConnection: close\r\n'),
    text.replace('HTTP/1.1\r\n', 'HTTP/1.1\r\nX-A: b\tc\r\n'),
    text.replace('HTTP/1.1\r\n', 'HTTP/1.1\r\nExpect: 100-continue\r\n'),
    chunked.replace(/hello$/, '5\r\nhello\r\n0\r\n\r\n'),
  ]
  for (const each of texts) {
    const half = Math.floor(each.length / 2)
    const connection = new RawConnection(port).send(each.slice(0, half)).send(each.slice(half))
    await connection.expect(/HTTP\/1\.1 200 .*hello/s)
    connection.socket.destroy()
  }
})

test('a connection that stays silent is closed with 408', async () => {
  const { world, port } = await startWorld(echo, { headersTimeoutMs: 200 })
  await using _ = world
  assert.match(await new RawConnection(port).closed(), /^HTTP\/1.1 408 /)
})

test('a connection that is slow with a second head is closed with 408', async () => {
  // Long enough for the first head on a machine that stops for a while.
  const { world, port, post } = await startWorld(echo, { headersTimeoutMs: 3_000 })
  await using _ = world
  const text = await post('first')
  const second = new RawConnection(port).send(text)
  await second.expect(/first$/)
  second.send('POST /endpoints/e/inv')
  assert.match(await second.closed(), /first.*HTTP\/1.1 408 /s)
})

test('an idle connection is closed without a word after the idle time', async () => {
  const { world, port, post } = await startWorld(echo, { idleTimeoutMs: 300 })
  await using _ = world
  const connection = new RawConnection(port).send(await post('first'))
  await connection.expect(/first$/)
  assert.equal(replyCount(await connection.closed()), 1)
})

test('a head that is cut off is answered with 400', async () => {
  const { world, port } = await startWorld()
  await using _ = world
  const connection = new RawConnection(port)
  connection.socket.end('POST /endpoints/e/invocations HTTP/1.1\r\nHost')
  assert.match(await connection.closed(), /^HTTP\/1.1 400 /)
})

test('a client that leaves in the middle of its body leaves nothing behind', async () => {
  const { world, port, post, container } = await startWorld()
  await using _ = world
  const text = await post('x'.repeat(1_000))
  const connection = new RawConnection(port).send(text.slice(0, -1))
  await until('the body', () => world.gateway.stats().totals.bufferedBytes === 999)
  connection.socket.destroy()
  await until('the bytes back', () => world.gateway.stats().totals.bufferedBytes === 0)
  await until('the end', () => world.gateway.stats().totals.connectionCount === 0)
  assert.equal(container.invocationCount(), 0)
})

test('stopping closes idle connections at once and answers the last request with Connection: close', async () => {
  const release = Promise.withResolvers<void>()
  const { world, port, post, container } = await startWorld(
    async (request, response) => {
      if (request.headers['content-type'] === 'slow') await release.promise
      await echo(request, response)
    },
    { drainTimeoutMs: 60_000 },
  )
  await using _ = world
  const idle = new RawConnection(port).send(await post('idle'))
  await idle.expect(/idle$/)
  const active = new RawConnection(port).send(await post('active', { 'content-type': 'slow' }))
  await until('the invocation', () => container.invocationCount() === 2)
  const stopped = world.gateway.stop()
  await idle.closed()
  assert.equal(active.isClosed, false)
  release.resolve()
  assert.match(await active.closed(), /Connection: close\r\n.*active$/s)
  await stopped
})

test('a client that stops reading a long reply stops the container, and gets all of it later', async () => {
  const chunk = Buffer.alloc(256 * 1024, 'y')
  let writtenCount = 0
  const { world, port, post } = await startWorld(
    async (request, response) => {
      request.resume()
      for (; writtenCount < 80; writtenCount++) {
        if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve))
      }
      response.end()
    },
    { bodyBytesMax: 26_214_400 },
  )
  await using _ = world
  const socket = connect({ host: '127.0.0.1', port })
  socket.pause()
  socket.write(await post('1'))
  let seenCount = -1
  await until('the container to stall', () => {
    const isStill = writtenCount > 0 && writtenCount === seenCount
    seenCount = writtenCount
    return isStill
  })
  assert.ok(writtenCount < 60, `${writtenCount} of 80 chunks were taken from the container`)
  let receivedBytes = 0
  socket.on('data', (bytes: Buffer) => (receivedBytes += bytes.length)).resume()
  await until('all of it', () => receivedBytes > 80 * chunk.length)
  socket.destroy()
})

test('a client that never reads its reply is cut off', async () => {
  const { world, port, post, container } = await startWorld(
    (request, response) => {
      request.resume()
      response.end(Buffer.alloc(20_000_000))
    },
    { bodyBytesMax: 26_214_400, idleTimeoutMs: 300, invocationTimeoutMs: 2_000 },
  )
  await using _ = world
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => undefined)
  socket.pause()
  socket.write(await post('1'))
  await until('the invocation', () => container.invocationCount() === 1)
  await until('the end', () => world.gateway.stats().totals.connectionCount === 0)
  socket.destroy()
})

const sizes = [6_291_456, 26_214_400]
for (const size of sizes) {
  test(`a body and a reply of ${size} bytes pass`, async () => {
    const { world, port, post } = await startWorld(echo, { bodyBytesMax: 26_214_400 })
    await using _ = world
    const body = 'z'.repeat(size)
    const connection = new RawConnection(port).send(await post(body))
    await until('the reply', () => connection.received.length > size)
    const received = connection.received
    assert.match(
      received.slice(0, 2_000),
      new RegExp(`^HTTP/1.1 200 .*Content-Length: ${size}\r`, 's'),
    )
    assert.ok(received.endsWith(`\r\n\r\n${body}`))
    connection.socket.destroy()
  })
}

test('10,000 connections that came and went leave nothing behind', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { world, port, post } = await startWorld(echo)
  await using _ = world
  const text = await post('hello')
  const visits: readonly ((connection: RawConnection) => Promise<unknown>)[] = [
    (connection) => connection.send(text).expect(/hello$/),
    (connection) => connection.send(HEALTH).expect(/live/),
    (connection) => connection.send(`${text}${HEALTH}`).expect(/live/),
    async (connection) => connection.send(text.slice(0, 100)),
    async (connection) => connection.send(text.slice(0, -1)),
  ]
  const heldBytes = (): number => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const visit = async (connectionCount: number): Promise<void> => {
    for (let count = 0; count < connectionCount; count += 200) {
      const connections = Array.from({ length: 200 }, () => new RawConnection(port))
      await Promise.all(connections.map(async (each, k) => visits[k % visits.length]?.(each)))
      for (const { socket } of connections) socket.destroy()
      await until('the end', () => world.gateway.stats().totals.connectionCount === 0)
    }
    await until('the bodies', () => world.gateway.stats().totals.bufferedBytes === 0)
  }
  await visit(2_000)
  const before = heldBytes()
  await visit(8_000)
  // Of a connection that is kept, its two sockets alone are more. What is to be finalised goes with a later collection.
  await until(
    'less than 1,000 bytes to be left of each',
    () => heldBytes() - before < 8_000 * 1_000,
  )
})

interface Exchange {
  readonly given: string
  readonly headers?: Record<string, string>
  readonly path?: string
  readonly edit?: (text: string) => string
  readonly whole: RegExp
}
const exchanges: readonly Exchange[] = [
  { given: 'a reply', headers: { 'content-type': 'a/b' }, whole: /hello$/ },
  { given: 'an empty reply', headers: { 'content-type': 'empty' }, whole: /\r\n\r\n$/ },
  { given: 'a stream', path: STREAM_PATH, whole: /\r\n0\r\n\r\n$/ },
  { given: 'a failure of the model', headers: { 'content-type': 'fail' }, whole: /\}$/ },
  { given: 'a broken reply', headers: { 'content-type': 'break' }, whole: /\}$/ },
  { given: 'an unknown endpoint', path: '/endpoints/f/invocations', whole: /\}$/ },
  { given: 'a bad name', path: '/endpoints/f_/invocations', whole: /\}$/ },
  { given: 'another body', edit: (text) => text.replace(/hello$/, 'hullo'), whole: /\}$/ },
  { given: 'no signature', edit: (text) => text.replace(/authorization/i, 'x-none'), whole: /\}$/ },
  {
    given: 'no signature and no body yet',
    edit: (text) => text.replace(/authorization/i, 'x-none').replace(/hello$/, ''),
    whole: /\}$/,
  },
]
test('both fronts answer the same', async () => {
  const answer: Answer = async (request, response) => {
    const type = request.headers['content-type']
    response.setHeader('X-Amzn-SageMaker-Custom-Attributes', 'from-model')
    if (type === 'fail') response.statusCode = 500
    if (type === 'break') request.socket.destroy()
    else if (type === 'empty') response.end()
    else await echo(request, response)
  }
  const strict = await startWorld(answer, { front: 'strict' })
  await using _strict = strict.world
  const node = await startWorld(answer, { front: 'node' })
  await using _node = node.world
  for (const { given, headers, path, edit = (text: string) => text, whole } of exchanges) {
    const replies: string[] = []
    for (const { port, post } of [strict, node]) {
      const connection = new RawConnection(port).send(edit(await post('hello', headers, path)))
      replies.push(withoutChance(await connection.expect(whole)))
      connection.socket.destroy()
    }
    assert.equal(replies[0], replies[1], given)
    assert.match(replies[0] ?? '', /^HTTP\/1.1 \d+ /)
  }
})

// Beside chance: node's server closes after a refusal of a head even when the whole body came with it.
function withoutChance(reply: string): string {
  return reply
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'UUID')
    .replace(/Date: [^\r]*/, 'Date: now')
    .replace(/Connection: [^\r]*\r\n(?:Keep-Alive: [^\r]*\r\n)?/, '')
}
