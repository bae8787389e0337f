import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ClientGone, Deadline } from '../../src/gateway/deadline.ts'
import { forward } from '../../src/gateway/forward.ts'
import type { ForwardOutcome } from '../../src/gateway/forward.ts'
import type { ContainerRequest, Transport } from '../../src/gateway/transport.ts'
import { ModelServerProcess } from '../support/echo-container.ts'
import { RecordedReply } from '../support/recorded-reply.ts'
import { until } from '../support/until.ts'

const ATTRIBUTES = 'X-Amzn-SageMaker-Custom-Attributes'
const MIB = 1024 * 1024

/** What an invocation of a test differs in. */
interface Given extends Partial<ContainerRequest> {
  /** Orders to `berth/echo`. */
  readonly orders?: string
  readonly timeoutMs?: number
  readonly reply?: RecordedReply
  readonly deadline?: Deadline
}

class World implements AsyncDisposable {
  readonly container: ModelServerProcess
  readonly transport: Transport

  constructor(container: ModelServerProcess, transport: Transport) {
    this.container = container
    this.transport = transport
  }

  begin(body: string | Buffer, given: Given = {}) {
    const { orders = '', timeoutMs = 60_000, headers = {}, ...rest } = given
    const reply = given.reply ?? new RecordedReply()
    const deadline = given.deadline ?? new Deadline(timeoutMs)
    const request = {
      headers: { 'Content-Type': 'text/plain', [ATTRIBUTES]: orders, ...headers },
      body: Buffer.from(body),
      replyBytesMax: rest.replyBytesMax ?? 64 * MIB,
      streamTimeoutMs: rest.streamTimeoutMs,
    }
    const outcome = forward(this.transport, request, reply, deadline).finally(() =>
      deadline[Symbol.dispose](),
    )
    return { reply, outcome, deadline }
  }

  async ask(
    body: string | Buffer,
    given: Given = {},
  ): Promise<RecordedReply & { outcome: ForwardOutcome }> {
    const { reply, outcome } = this.begin(body, given)
    return Object.assign(reply, { outcome: await outcome })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.destroy()
    await this.container[Symbol.asyncDispose]()
  }
}

/**
 * What every way to an instance must do, against a real container: `berth/echo` in a process of its own.
 *
 * @param connect makes the transport to a container.
 */
export function testInstanceTransport(
  name: string,
  connect: (container: ModelServerProcess) => Transport,
): void {
  const open = async (): Promise<World> => {
    const container = await ModelServerProcess.start(['--image=berth/echo'])
    return new World(container, connect(container))
  }
  const define: Case = (title, run) => {
    test(`${name}: ${title}`, () => runIn(open, run))
  }
  testReplies(define)
  testFailures(define)
  testManyAtOnce(define)
}

type Case = (title: string, run: (world: World) => Promise<void>) => void

async function runIn(
  open: () => Promise<World>,
  run: (world: World) => Promise<void>,
): Promise<void> {
  await using world = await open()
  await run(world)
}

function testReplies(test: Case): void {
  test('a body and its type come back', async (world) => {
    const reply = await world.ask('hello')
    assert.deepEqual(reply.outcome, { kind: 'replied' })
    assert.equal(reply.head?.statusCode, 200)
    assert.equal(reply.head?.headers['content-type'], 'text/plain')
    assert.equal(reply.text, 'hello')
    assert.ok(reply.hasEnded)
  })

  test('an empty body comes back empty', async (world) => {
    const reply = await world.ask('')
    assert.deepEqual(reply.outcome, { kind: 'replied' })
    assert.equal(reply.receivedBytes, 0)
    assert.ok(reply.hasEnded)
  })

  test('the container sees the headers, and its own come back', async (world) => {
    const headers = { Accept: 'text/x', 'X-Amzn-SageMaker-Session-Id': 's-1', 'X-Other': 'ä;b' }
    const orders = 'headers=1;echo-attributes=1'
    const reply = await world.ask('12345', { headers, orders })
    const seen = JSON.parse(reply.text)
    assert.equal(seen.method, 'POST')
    assert.equal(seen.path, '/invocations')
    assert.equal(seen.bodyBytes, 5)
    assert.equal(seen.headers.accept, 'text/x')
    assert.equal(seen.headers['content-type'], 'text/plain')
    assert.equal(seen.headers['content-length'], '5')
    assert.equal(seen.headers['x-amzn-sagemaker-session-id'], 's-1')
    assert.equal(seen.headers['x-other'], 'ä;b')
    assert.equal(reply.head?.headers[ATTRIBUTES.toLowerCase()], orders)
  })

  for (const status of [201, 299]) {
    test(`status ${status} is a reply`, async (world) => {
      const reply = await world.ask('x', { orders: `status=${status}` })
      assert.equal(reply.head?.statusCode, status)
      assert.equal(reply.text, 'x')
    })
  }

  for (const statusCode of [300, 400, 404, 424, 500, 503]) {
    test(`status ${statusCode} is the model's refusal with its body`, async (world) => {
      const { outcome, head } = await world.ask('why', { orders: `status=${statusCode}` })
      const body = Buffer.from('why')
      assert.deepEqual(outcome, { kind: 'refused-by-model', statusCode, body })
      assert.equal(head, undefined)
    })
  }

  test('a refusal too long to quote comes without its body', async (world) => {
    const { outcome } = await world.ask('', { orders: 'status=500;size=1000000' })
    assert.deepEqual(outcome, { kind: 'refused-by-model', statusCode: 500, body: undefined })
  })

  test('a chunk arrives while the container goes on', async (world) => {
    const orders = 'chunks=3;chunk-delay-ms=600000'
    const { reply, outcome, deadline } = world.begin('abcdef', { orders })
    const first = Promise.withResolvers<void>()
    reply.onChunk = () => first.resolve()
    await first.promise
    assert.equal(reply.text, 'ab')
    assert.equal(reply.hasEnded, false)
    deadline.abandon()
    assert.deepEqual(await outcome, { kind: 'client-gone' })
  })

  test('a reply in chunks arrives whole', async (world) => {
    const reply = await world.ask('abcdef', { orders: 'chunks=3;chunk-delay-ms=5' })
    assert.deepEqual(reply.outcome, { kind: 'replied' })
    assert.equal(reply.text, 'abcdef')
    assert.ok(reply.hasEnded)
  })

  for (const bodyBytes of [6 * MIB, 25 * MIB]) {
    test(`${bodyBytes / MIB} MiB go there and come back`, async (world) => {
      const body = randomBytes(bodyBytes)
      const reply = await world.ask(body)
      assert.deepEqual(reply.outcome, { kind: 'replied' })
      assert.ok(reply.body.equals(body))
    })
  }

  for (const orders of ['size=1001', 'size=100000;chunks=100']) {
    test(`a reply longer than the limit is not passed on: ${orders}`, async (world) => {
      const { outcome } = await world.ask('', { orders, replyBytesMax: 1000 })
      assert.deepEqual(outcome, { kind: 'reply-too-large', statusCode: 200 })
    })
  }
}

function testFailures(test: Case): void {
  test('a reply that breaks before the client has seen any of it', async (world) => {
    const { outcome, hasEnded } = await world.ask('abcdef', { orders: 'chunks=6;break-after=2' })
    assert.equal(outcome.kind, 'broken')
    assert.equal(hasEnded, false)
  })

  test('a reply that breaks after the client has seen a part is broken off', async (world) => {
    const reply = new RecordedReply()
    reply.onChunk = () => (reply.isStarted = true)
    const orders = 'chunks=6;break-after=2'
    const { outcome } = await world.ask('abcdef', { reply, orders })
    assert.deepEqual(outcome, { kind: 'broken-off', reason: 'broken' })
    assert.equal(reply.brokenOff, 'broken')
    assert.equal(reply.text, 'ab')
  })

  test('a container that dies before it replies is a reset', async (world) => {
    const { outcome } = await world.ask('x', { orders: 'exit=1' })
    assert.equal(outcome.kind, 'reset')
  })

  test('a container that has died refuses', async (world) => {
    await world.ask('x')
    world.container.child.kill('SIGKILL')
    await world.container.exited
    await until('the connection to be known as gone', async () => {
      const { outcome } = await world.ask('x')
      return outcome.kind === 'refused'
    })
  })

  test('a container that died and came back is reached again', async (world) => {
    await world.ask('x')
    await world.ask('x', { orders: 'exit=1' })
    await world.container.exited
    const { socketPath } = world.container
    await using again = await ModelServerProcess.start(['--image=berth/echo'], socketPath)
    assert.ok(again.child.pid)
    await until('an answer', async () => (await world.ask('x')).outcome.kind === 'replied')
  })

  test('a deadline that passes', async (world) => {
    const { outcome } = await world.ask('x', { orders: 'hang=1', timeoutMs: 50 })
    assert.deepEqual(outcome, { kind: 'timed-out' })
  })

  test('a deadline that passes in the middle of a reply', async (world) => {
    const reply = new RecordedReply()
    const orders = 'chunks=2;chunk-delay-ms=600000'
    const { outcome, deadline } = world.begin('abcd', { reply, orders })
    reply.onChunk = () => {
      reply.isStarted = true
      deadline.pass()
    }
    assert.deepEqual(await outcome, { kind: 'broken-off', reason: 'timed-out' })
  })

  test('a client that leaves is told to the container', async (world) => {
    const orders = 'hang=1'
    const { outcome, deadline } = world.begin('x', { orders })
    await world.ask('y')
    deadline.abandon()
    assert.deepEqual(await outcome, { kind: 'client-gone' })
    assert.ok(deadline.endedBy instanceof ClientGone)
    // A container ends at SIGTERM when nothing is outstanding; otherwise only after 24 s.
    const askedAtMs = performance.now()
    world.container.child.kill('SIGTERM')
    assert.equal(await world.container.exited, 0)
    assert.ok(performance.now() - askedAtMs < 20_000)
  })
}

function testManyAtOnce(test: Case): void {
  test('200 invocations at once get their own replies', async (world) => {
    const bodies = Array.from({ length: 200 }, (_, n) => `${n} `.repeat(1 + ((n * 37) % 900)))
    const replies = await Promise.all(bodies.map((body) => world.ask(body)))
    assert.deepEqual(
      replies.map(({ text }) => text),
      bodies,
    )
  })

  test('an invocation overtakes one that takes for ever', async (world) => {
    const { outcome, deadline } = world.begin('slow', { orders: 'hang=1' })
    assert.equal((await world.ask('quick')).text, 'quick')
    deadline.abandon()
    assert.deepEqual(await outcome, { kind: 'client-gone' })
  })

  test('large bodies do not hold up small ones', async (world) => {
    const body = randomBytes(25 * MIB)
    const large = Array.from({ length: 3 }, () => world.ask(body))
    let smallCount = 0
    let isLargeOver = false
    void Promise.all(large).then(() => (isLargeOver = true))
    while (!isLargeOver) {
      assert.equal((await world.ask('small')).text, 'small')
      smallCount += 1
    }
    for (const { outcome } of await Promise.all(large))
      assert.deepEqual(outcome, { kind: 'replied' })
    // One that waits for all large ones is the only one.
    assert.ok(smallCount > 1, `${smallCount} small ones meanwhile`)
  })

  test('a slow reader stops its own stream and nothing else', async (world) => {
    const reply = new RecordedReply()
    reply.takesMore = false
    const bytes = 48 * MIB
    const { outcome } = world.begin('', { reply, orders: `size=${bytes}` })
    await until('the first bytes', () => reply.receivedBytes > 0)
    // Others go on, again and again, while it stands still.
    let seenBytes = -1
    await until('the container to stall', async () => {
      for (let n = 0; n < 20; n += 1) assert.equal((await world.ask('other')).text, 'other')
      const hasStalled = seenBytes === reply.receivedBytes
      seenBytes = reply.receivedBytes
      return hasStalled
    })
    assert.ok(seenBytes < 4 * MIB, `${seenBytes} bytes were taken for a client that does not read`)
    reply.drain()
    assert.deepEqual(await outcome, { kind: 'replied' })
    assert.equal(reply.receivedBytes, bytes)
    const { body } = reply
    for (const at of [0, 25, 26, 1_000_003, bytes - 1]) {
      assert.equal(body[at], 'a'.charCodeAt(0) + (at % 26), `byte ${at}`)
    }
  })
}
