import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'

import type { GatewayLimits } from '../../src/gateway/limits.ts'
import { GatewayWorld, variant } from '../support/gateway-world.ts'
import { RawConnection, encodePost, signHeaders } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

// What is admitted at which load is decided in simulated time: src/gateway/admission-overload.test.ts. Here real sockets meet
// those decisions. What invocations take is measured by a clock that the test moves, so nothing depends on the machine.

const SERVICE_MS = 20

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A gateway and a container that holds every invocation until it is told to answer: one after another, 20 ms each. */
class SlowWorld implements AsyncDisposable {
  readonly world: GatewayWorld
  readonly held: ServerResponse[] = []
  readonly #calls: Promise<Answer>[] = []
  readonly #time: { nowMs: number }
  #askedCount = 0
  #onArrival: () => void = () => undefined

  private constructor(world: GatewayWorld, time: { nowMs: number }) {
    this.world = world
    this.#time = time
  }

  static async start(limits: Partial<GatewayLimits>): Promise<SlowWorld> {
    const time = { nowMs: 1_000_000 }
    const world = await GatewayWorld.start(limits, () => time.nowMs)
    const slow = new SlowWorld(world, time)
    const container = await world.container((request, response) => {
      request.resume()
      slow.#askedCount += 1
      slow.held.push(response)
      slow.#onArrival()
    })
    await world.route('e', [variant('v', [container])])
    return slow
  }

  /** Invocations that have reached the container. */
  get askedCount(): number {
    return this.#askedCount
  }

  /** @returns what was refused; undefined when the container has it. */
  async ask(): Promise<Answer | undefined> {
    const arrived = new Promise<undefined>(
      (resolve) => (this.#onArrival = () => resolve(undefined)),
    )
    const call = invoke(this.world)
    const refused = await Promise.race([call, arrived])
    if (refused === undefined) this.#calls.push(call)
    return refused
  }

  /** Everything the container has is answered in turn. @returns how often it was answered as it should be. */
  async answerAll(): Promise<number> {
    const calls = this.#calls.splice(0)
    for (const [index, response] of this.held.splice(0).entries()) {
      this.#time.nowMs += SERVICE_MS
      response.end('answered')
      await calls[index]
    }
    const answers = await Promise.all(calls)
    return answers.filter(({ status, text }) => status === 200 && text.endsWith('answered')).length
  }

  /** What the gateway learns by: some invocations alone, and some behind others. */
  async teach(): Promise<void> {
    for (let round = 0; round < 12; round += 1) {
      for (let count = 0; count < 1 + (round % 4); count += 1) {
        assert.equal(await this.ask(), undefined)
      }
      await this.answerAll()
    }
  }

  /** Asks until it is refused. @returns that refusal, and how many were admitted. */
  async fill(countMax: number): Promise<{ refused: Answer | undefined; admittedCount: number }> {
    for (let admittedCount = 0; admittedCount < countMax; admittedCount += 1) {
      const refused = await this.ask()
      if (refused !== undefined) return { refused, admittedCount }
    }
    return { refused: undefined, admittedCount: countMax }
  }

  passTime(ms: number): void {
    this.#time.nowMs += ms
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const response of this.held) response.destroy()
    await this.world[Symbol.asyncDispose]()
  }
}

async function headersOf(world: GatewayWorld, path: string, body: string) {
  const { port } = world.gateway
  const { accessKeyId, secretAccessKey } = world.credentials
  return await signHeaders({ port, path, body, accessKeyId, secretAccessKey })
}

function pathOf(endpointName: string): string {
  return `/endpoints/${endpointName}/invocations`
}

async function invoke(world: GatewayWorld, endpointName = 'e', body = '1'): Promise<Answer> {
  const path = pathOf(endpointName)
  const { host: _host, ...headers } = await headersOf(world, path, body)
  const reply = await fetch(`${world.url}${path}`, { method: 'POST', headers, body })
  return { status: reply.status, headers: reply.headers, text: await reply.text() }
}

function assertRefused(answer: Answer | undefined, allowedMs: number): void {
  assert.equal(answer?.status, 503)
  assert.equal(answer.headers.get('retry-after'), '1')
  assert.equal(answer.headers.get('x-amzn-errortype'), 'ServiceUnavailable')
  assert.match(
    answer.text,
    new RegExp(
      `Variant v of endpoint e would answer in about \\d+ ms, and ${allowedMs} ms are allowed`,
    ),
  )
}

test('what would be late is refused while the rest is worked on, and once that is answered everything is admitted', async () => {
  await using slow = await SlowWorld.start({ objectiveMs: 300 })
  await slow.teach()
  const { refused, admittedCount } = await slow.fill(64)
  assertRefused(refused, 300)
  // 300 ms are 15 times 20 ms.
  assert.ok(admittedCount >= 8 && admittedCount <= 15, `${admittedCount} were admitted`)
  const { askedCount } = slow
  // Refused although the container has answered nothing in the meantime: nobody waited for it.
  for (let count = 0; count < 20; count += 1) assertRefused(await slow.ask(), 300)
  assert.equal(slow.askedCount, askedCount)
  assert.equal(slow.held.length, admittedCount)
  assert.equal(await slow.answerAll(), admittedCount)
  // At once as many as before, without a single refusal in between.
  assert.equal((await slow.fill(8)).refused, undefined)
  assert.equal(await slow.answerAll(), 8)
})

test('now and then one that is believed to be late is admitted, to see', async () => {
  await using slow = await SlowWorld.start({ objectiveMs: 300 })
  await slow.teach()
  const { admittedCount } = await slow.fill(64)
  slow.passTime(60_000)
  assert.equal(await slow.ask(), undefined)
  assertRefused(await slow.ask(), 300)
  assert.equal(await slow.answerAll(), admittedCount + 1)
})

test('who would be late is refused before the body is read', async () => {
  await using slow = await SlowWorld.start({ objectiveMs: 300 })
  await slow.teach()
  const { refused, admittedCount } = await slow.fill(64)
  assertRefused(refused, 300)
  const { askedCount, world } = slow
  const headers = await headersOf(world, pathOf('e'), 'body')
  const head = encodePost(pathOf('e'), { ...headers, 'content-length': '1000000' }, '')
  const connection = new RawConnection(world.gateway.port).send(head)
  assert.match(await connection.expect(/\r\n\r\n.+/s), /^HTTP\/1.1 503 /)
  connection.socket.destroy()
  assert.equal(slow.askedCount, askedCount)
  assert.equal(await slow.answerAll(), admittedCount)
})

test('with shedding off everything is admitted while there is room', async () => {
  await using slow = await SlowWorld.start({ objectiveMs: 300, shedding: 'off' })
  await slow.teach()
  assert.deepEqual(await slow.fill(40), { refused: undefined, admittedCount: 40 })
  assert.equal(await slow.answerAll(), 40)
})

test('bodies of one endpoint leave room for those of another', async () => {
  const world = await GatewayWorld.start({ bufferedBytesMax: 10_000 })
  await using _ = world
  const container = await world.container((request, response) => {
    request.resume().on('end', () => response.end('answered'))
  })
  await world.route('loud', [variant('v', [container])])
  await world.route('quiet', [variant('v', [container])])
  const body = 'x'.repeat(4_000)
  const headers = await headersOf(world, pathOf('loud'), body)
  // All but the last byte: held until it comes.
  const request = encodePost(pathOf('loud'), { ...headers, 'content-length': '4000' }, '')
  const held = [1, 2].map(() => new RawConnection(world.gateway.port))
  const heldBytes = () => world.gateway.stats().totals.bufferedBytes
  for (const [index, connection] of held.entries()) {
    connection.send(request + body.slice(1))
    await until('the body to be held', () => heldBytes() === (index + 1) * 3_999)
  }
  const throttled = await invoke(world, 'loud', 'y'.repeat(500))
  assert.equal(throttled.status, 400)
  assert.equal(throttled.headers.get('x-amzn-errortype'), 'ThrottlingException')
  assert.equal((await invoke(world, 'quiet', 'y'.repeat(500))).status, 200)
  for (const connection of held) {
    connection.send('x')
    await connection.expect(/answered/)
    connection.socket.destroy()
  }
  assert.equal((await invoke(world, 'loud', 'y'.repeat(500))).status, 200)
})
