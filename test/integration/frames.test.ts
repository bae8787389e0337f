import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { Deadline } from '../../src/gateway/deadline.ts'
import { forward } from '../../src/gateway/forward.ts'
import { FrameTransport } from '../../src/gateway/frames/frame-transport.ts'
import { FrameOutbox } from '../../src/wire/frame-outbox.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FRAME, parseFailureFrame, parseReplyFrame } from '../../src/wire/frames.ts'
import { ModelServerProcess } from '../support/echo-container.ts'
import { FramesClient } from '../support/frames-client.ts'
import { RecordedReply } from '../support/recorded-reply.ts'
import { until } from '../support/until.ts'

const MODELS = join(import.meta.dirname, '../fixtures/models')
const folder = mkdtempSync(join(tmpdir(), 'berth-frames-'))
let echo: ModelServerProcess

before(async () => {
  echo = await ModelServerProcess.start(['--image=berth/echo', '--body-bytes-max=1000000'])
})
after(async () => {
  await echo[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

function startModel(fixture: string, ...args: readonly string[]): Promise<ModelServerProcess> {
  const directory = mkdtempSync(join(folder, 'm-'))
  copyFileSync(join(MODELS, fixture), join(directory, 'model.onnx'))
  return ModelServerProcess.start(['--image=berth/onnx', `--model-directory=${directory}`, ...args])
}

async function ask(transport: FrameTransport, body: string, orders = '') {
  using deadline = new Deadline(30_000)
  const reply = new RecordedReply()
  const headers = {
    'Content-Type': 'application/json',
    'X-Amzn-SageMaker-Custom-Attributes': orders,
  }
  const limits = { replyBytesMax: Infinity, streamTimeoutMs: undefined }
  const request = { headers, body: Buffer.from(body), ...limits }
  return { outcome: await forward(transport, request, reply, deadline), text: reply.text }
}

test('whatever is not frames closes its connection, and the others are served on', async () => {
  await using other = new FramesClient(echo.framesPath())
  other.outbox.hello(1000)
  const noise = fc.uint8Array({ minLength: 11, maxLength: 200 })
  await fc.assert(
    fc.asyncProperty(noise, fc.boolean(), async (bytes, hasHello) => {
      await using client = new FramesClient(echo.framesPath())
      if (hasHello) client.outbox.hello(1000)
      client.flush()
      client.socket.end(bytes)
      await client.closed
    }),
    { numRuns: 60 },
  )
  other.request(1, '"still here"')
  other.flush()
  const { payload } = await other.frame(1, FRAME.reply)
  assert.equal(parseReplyFrame(payload).part.toString(), '"still here"')
})

const NONSENSE: readonly { given: string; send: (client: FramesClient) => void }[] = [
  {
    given: 'a stream that is open',
    send: (client) => {
      client.request(5, 'a', { orders: 'hang=1' })
      client.request(5, 'b')
    },
  },
  {
    given: 'more of a body than announced',
    send: ({ outbox }) => {
      const head = { timeLeftMs: 1000, bodyBytes: 5, headers: {} }
      outbox.request(1, head, Buffer.from('12'), false)
      outbox.requestData(1, Buffer.from('3456'), true)
    },
  },
  {
    given: 'less of a body than announced',
    send: ({ outbox }) => {
      const head = { timeLeftMs: 1000, bodyBytes: 5, headers: {} }
      outbox.request(1, head, Buffer.from('12'), true)
    },
  },
  { given: 'what only a server says', send: ({ outbox }) => outbox.replyEnd(1) },
]

for (const { given, send } of NONSENSE) {
  test(`the connection is closed upon ${given}`, async () => {
    await using client = new FramesClient(echo.framesPath())
    client.outbox.hello(1000)
    send(client)
    client.flush()
    await client.closed
  })
}

test('frames of streams that are over, or never were, are ignored', async () => {
  await using client = new FramesClient(echo.framesPath())
  client.outbox.hello(1000)
  client.outbox.cancel(7)
  client.outbox.credit(8, 100)
  client.outbox.requestData(9, Buffer.from('x'), true)
  client.request(10, '"ok"')
  client.flush()
  await client.frame(10, FRAME.reply)
})

test('a body that announces more than the limit is refused before it is sent', async () => {
  await using client = new FramesClient(echo.framesPath())
  client.outbox.hello(1000)
  const head = { timeLeftMs: 1000, bodyBytes: 4_000_000_000, headers: {} }
  client.outbox.request(1, head, Buffer.from('x'), false)
  client.flush()
  const { payload } = await client.frame(1, FRAME.reply)
  assert.equal(parseReplyFrame(payload).statusCode, 413)
})

test('no more of a reply is sent than was granted', async () => {
  await using client = new FramesClient(echo.framesPath())
  client.outbox.hello(1000)
  client.request(1, '', { orders: 'size=5000' })
  client.flush()
  await until('what was granted', () => receivedBytes(client, 1) === 1000)
  client.request(2, '"others go on"')
  client.flush()
  await client.frame(2, FRAME.reply)
  assert.equal(receivedBytes(client, 1), 1000)
  client.outbox.credit(1, 4000)
  client.flush()
  await until('the rest', () => receivedBytes(client, 1) === 5000)
})

function receivedBytes({ frames }: FramesClient, ofStream: number): number {
  return frames
    .filter(({ kind, streamId }) => kind === FRAME.replyData && streamId === ofStream)
    .reduce((sum, { payload }) => sum + payload.length, 0)
}

test('a stopping server refuses what is new and answers what it has', async () => {
  await using server = await ModelServerProcess.start(['--image=berth/echo'])
  await using client = new FramesClient(server.framesPath())
  client.outbox.hello(1000)
  // It cannot end before the rest is granted.
  client.request(1, '', { orders: 'size=5000' })
  client.request(2, '"b"')
  client.flush()
  await client.frame(1, FRAME.reply)
  await client.frame(2, FRAME.reply)
  server.child.kill('SIGTERM')
  let streamId = 10
  await until('a refusal', () => {
    client.request((streamId += 1), '"c"')
    client.flush()
    return client.frames.find(({ kind }) => kind === FRAME.replyFailed)
  })
  const refusal = client.frames.find(({ kind }) => kind === FRAME.replyFailed)
  assert.equal(parseFailureFrame(refusal?.payload ?? Buffer.alloc(0)).reason, 'refused')
  client.outbox.credit(1, 4000)
  client.flush()
  await client.closed
  assert.equal(receivedBytes(client, 1), 5000)
  assert.equal(await server.exited, 0)
})

test('a server that speaks other frames is a broken container, not a hanging one', async () => {
  const path = join(folder, 'other.sock')
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  }).listen(path)
  const transport = new FrameTransport([path])
  assert.equal((await ask(transport, '1')).outcome.kind, 'broken')
  await transport.destroy()
  server.close()
})

test('a worker that refuses leaves its calls to the next', async () => {
  const transport = new FrameTransport([join(folder, 'nobody.sock'), echo.framesPath()])
  const replies = await Promise.all(['1', '2', '3'].map((body) => ask(transport, body)))
  assert.deepEqual(
    replies.map(({ text }) => text),
    ['1', '2', '3'],
  )
  await transport.destroy()
})

/** A worker that says what a call costs and answers only when told to. */
async function startPacedWorker(name: string, callUs: number) {
  const path = join(folder, name)
  const answers: (() => void)[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    const outbox = new FrameOutbox()
    outbox.hello(0)
    outbox.pace(callUs)
    const flush = (): void => outbox.take().forEach((buffer) => socket.write(buffer))
    flush()
    const reader = new FrameReader(
      () => undefined,
      ({ streamId }) =>
        answers.push(() => {
          outbox.reply(streamId, { statusCode: 200, headers: {} }, Buffer.from(name), true)
          flush()
        }),
    )
    socket.on('data', (chunk: Buffer) => reader.read(chunk))
  }).listen(path)
  await once(server, 'listening')
  const crash = (): void => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { path, answers, crash, [Symbol.dispose]: () => void server.close() }
}

for (const { given, callUs, counts } of [
  { given: 'small calls share a worker', callUs: 50, counts: { a: 12 } },
  { given: 'small calls that are many take a second worker', callUs: 300, counts: { a: 7, b: 5 } },
  { given: 'long calls get a worker each', callUs: 5000, counts: { a: 6, b: 6 } },
]) {
  test(given, async () => {
    using a = await startPacedWorker('a', callUs)
    using b = await startPacedWorker('b', callUs)
    const workers = [a, b]
    const transport = new FrameTransport(workers.map(({ path }) => path))
    const answerAll = (): void =>
      workers.forEach(({ answers }) => answers.splice(0).forEach((send) => send()))
    // Two at once go to both, as long as neither has said what a call costs.
    const first = Promise.all([ask(transport, '0'), ask(transport, '0')])
    await until('one call on each', () => workers.every(({ answers }) => answers.length === 1))
    answerAll()
    await first
    const asked = Promise.all(Array.from({ length: 12 }, () => ask(transport, '1')))
    const arrivedCount = (): number => workers.reduce((sum, { answers }) => sum + answers.length, 0)
    await until('all calls', () => arrivedCount() === 12)
    answerAll()
    const countByWorker: Record<string, number> = {}
    for (const { text } of await asked) countByWorker[text] = (countByWorker[text] ?? 0) + 1
    await transport.destroy()
    assert.deepEqual(countByWorker, counts)
  })
}

test('a worker that dies loses its own calls and no others, and the next ones go round it', async () => {
  using a = await startPacedWorker('a', 5000)
  using b = await startPacedWorker('b', 5000)
  const transport = new FrameTransport([a.path, b.path])
  const asked = [ask(transport, '0'), ask(transport, '1')]
  await until('one call on each', () => a.answers.length === 1 && b.answers.length === 1)
  a.crash()
  b.answers.splice(0).forEach((send) => send())
  const outcomes = (await Promise.all(asked)).map(({ outcome }) => outcome.kind)
  assert.deepEqual(outcomes.toSorted(), ['replied', 'reset'])
  const next = ask(transport, '2')
  await until('the next call', () => b.answers.length === 1)
  b.answers.splice(0).forEach((send) => send())
  assert.equal((await next).text, 'b')
  await transport.destroy()
})

test('a transport that is closed ends its calls and takes no more', async () => {
  const transport = new FrameTransport([echo.framesPath()])
  const running = ask(transport, '1', 'delay-ms=100')
  await ask(transport, '2')
  transport.close()
  assert.equal((await ask(transport, '3')).outcome.kind, 'refused')
  assert.deepEqual((await running).outcome, { kind: 'replied' })
})

// A run of some hundred milliseconds; its length is the input.
const LONG = JSON.stringify({ instances: [[3000]] })
const SHORT = JSON.stringify({ instances: [[1]] })

test('a worker with a full line refuses, and drops what is late or cancelled without running it', async () => {
  await using server = await startModel('heavy.onnx', '--workers=1', '--waiting-max=5')
  await using client = new FramesClient(server.framesPath())
  client.outbox.hello(1_000_000)
  client.request(1, SHORT)
  client.flush()
  assert.equal(parseReplyFrame((await client.frame(1, FRAME.reply)).payload).statusCode, 200)
  client.request(2, LONG)
  client.flush()
  // Whether they arrive with it or while it runs: it goes first, and nothing is read until it is done.
  client.request(3, SHORT, { timeLeftMs: 0 })
  client.request(4, LONG)
  client.outbox.cancel(4)
  client.request(5, SHORT)
  client.request(6, SHORT)
  for (let streamId = 7; streamId < 120; streamId += 1) client.request(streamId, SHORT)
  client.flush()
  const failureOf = async (streamId: number) =>
    parseFailureFrame((await client.frame(streamId, FRAME.replyFailed)).payload).reason
  await client.frame(2, FRAME.reply)
  assert.equal(await failureOf(3), 'expired')
  await client.frame(5, FRAME.reply)
  assert.equal(await failureOf(119), 'overloaded')
  assert.equal(client.frames.filter(({ streamId }) => streamId === 4).length, 0)
})

test('both workers of a model answer, each on its own socket', async () => {
  await using server = await startModel('affine.onnx', '--workers=2')
  const body = JSON.stringify({ instances: [[1, 2, 3]] })
  const expected = (await ask(new FrameTransport([server.framesPath(0)]), body)).text
  assert.match(expected, /predictions/)
  const transport = new FrameTransport([server.framesPath(1)])
  await until('the second worker', async () => (await ask(transport, body)).text === expected)
  await transport.destroy()
})
