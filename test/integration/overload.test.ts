import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'

import { systemClock } from '../../src/platform/clock.ts'
import type { GatewayLimits } from '../../src/gateway/limits.ts'
import { GatewayWorld, variant } from '../support/gateway-world.ts'
import { RawConnection, encodePost, signHeaders } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const never = new AbortController().signal

/** A container that answers one invocation after another, each after `serviceMs`, until it is told to hold. */
async function startSlow(limits: Partial<GatewayLimits>, serviceMs: number) {
  const world = await GatewayWorld.start(limits)
  const held: ServerResponse[] = []
  const state = { isHolding: false, answeredCount: 0 }
  let last = Promise.resolve()
  const container = await world.container((request, response) => {
    request.resume()
    if (state.isHolding) held.push(response)
    else {
      last = last.then(async () => {
        await systemClock.sleep(serviceMs, never)
        state.answeredCount += 1
        response.end('answered')
      })
    }
  })
  await world.route('e', [variant('v', [container])])
  const release = (): void => {
    for (const response of held.splice(0)) response.end('answered')
  }
  return { world, container, state, held, release }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly tookMs: number
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
  const request = encodePost(path, await headersOf(world, path, body), body)
  const startedAtMs = performance.now()
  const connection = new RawConnection(world.gateway.port).send(request)
  const text = await connection.expect(/\r\n\r\n.+/s)
  connection.socket.destroy()
  const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1])
  return { status, text, tookMs: performance.now() - startedAtMs }
}

test('at twice its capacity an instance stays busy, what is admitted is in time, the rest is told early', async () => {
  const objectiveMs = 300
  const serviceMs = 20
  const { world, state } = await startSlow({ objectiveMs }, serviceMs)
  await using _ = world
  const calls: Promise<Answer>[] = []
  const startedAtMs = performance.now()
  while (performance.now() - startedAtMs < 2_000) {
    calls.push(invoke(world))
    await systemClock.sleep(serviceMs / 2, never)
  }
  const busyMs = performance.now() - startedAtMs
  const capacityCount = state.answeredCount
  const answers = await Promise.all(calls)
  const served = answers.filter(({ status }) => status === 200)
  const refused = answers.filter(({ status }) => status === 503)
  assert.equal(served.length + refused.length, answers.length)
  assert.ok(refused.length > answers.length / 5, `${refused.length} of ${answers.length} refused`)
  const inTime = served.filter(({ tookMs }) => tookMs <= objectiveMs)
  const share = inTime.length / (busyMs / serviceMs)
  assert.ok(capacityCount > 0.6 * (busyMs / serviceMs), `${capacityCount} answered`)
  assert.ok(share >= 0.6, `goodput is ${share.toFixed(2)} of capacity`)
  for (const { text } of refused) {
    assert.match(text, /retry-after: 1\r\n/i)
    assert.match(text, /x-amzn-errortype: ServiceUnavailable\r\n/i)
    assert.match(text, /would answer in about \d+ ms, and 300 ms are allowed/)
  }
  const refusedMs = refused.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)
  assert.ok((refusedMs[Math.floor(refusedMs.length / 2)] ?? 0) < 100)

  for (let count = 0; count < 10; count += 1) assert.equal((await invoke(world)).status, 200)
})

// Two answers of 100 ms behind nobody, one outstanding, one probe behind it: nobody else is answered within 150 ms.
async function fill(slow: Awaited<ReturnType<typeof startSlow>>): Promise<Promise<Answer>[]> {
  const { world, state, held } = slow
  for (let count = 0; count < 3; count += 1) await invoke(world)
  state.isHolding = true
  const calls = [invoke(world)]
  await until('one to be outstanding', () => held.length === 1)
  calls.push(invoke(world))
  await until('the probe', () => held.length === 2)
  return calls
}

test('who would be late is refused before the body is read', async () => {
  const slow = await startSlow({ objectiveMs: 110 }, 100)
  const { world, container, release } = slow
  await using _ = world
  const admitted = await fill(slow)
  assert.equal((await invoke(world)).status, 503)
  const headers = await headersOf(world, pathOf('e'), 'body')
  const head = encodePost(pathOf('e'), { ...headers, 'content-length': '1000000' }, '')
  const connection = new RawConnection(world.gateway.port).send(head)
  assert.match(await connection.expect(/\r\n\r\n.+/s), /^HTTP\/1.1 503 /)
  connection.socket.destroy()
  assert.equal(container.invocationCount(), 5)
  release()
  for (const { status } of await Promise.all(admitted)) assert.equal(status, 200)
})

test('with shedding off everything is admitted while there is room', async () => {
  const slow = await startSlow({ objectiveMs: 110, shedding: 'off' }, 100)
  const { world, held, release } = slow
  await using _ = world
  const calls = [...(await fill(slow)), invoke(world), invoke(world)]
  await until('all to be outstanding', () => held.length === 4)
  release()
  for (const { status } of await Promise.all(calls)) assert.equal(status, 200)
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
  assert.match(throttled.text, /x-amzn-errortype: ThrottlingException\r\n/i)
  assert.equal((await invoke(world, 'quiet', 'y'.repeat(500))).status, 200)
  for (const connection of held) {
    connection.send('x')
    await connection.expect(/answered/)
    connection.socket.destroy()
  }
  assert.equal((await invoke(world, 'loud', 'y'.repeat(500))).status, 200)
})
