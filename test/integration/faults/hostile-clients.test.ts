import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, afterEach, before, suite, test } from 'node:test'

import fc from 'fast-check'

import { findResidentBytes } from '../../../src/platform/process-identity.ts'
import { disposeBerth, startBerth } from '../../support/berth.ts'
import type { RunningBerth } from '../../support/berth.ts'
import { Crowd, openFilesMax } from '../../support/crowd.ts'
import { Load } from '../../support/load.ts'
import { RawConnection, encodePost, signHeaders } from '../../support/raw-http.ts'
import { describePlatform, serveEndpoint } from '../../support/serving.ts'
import { WireClient, signRequest } from '../../support/signed-request.ts'
import { until } from '../../support/until.ts'

const MIB = 1024 * 1024
const HEALTH = 'GET /berth/health HTTP/1.1\r\nHost: h\r\n\r\n'
const INVOCATIONS = '/endpoints/echo/invocations'
const TIMEOUT_MS = 2_000
// For the test's own files and those of the gateway that are no clients.
const SPARE_FILES = 500

let berth: RunningBerth
let load: Load
let gatewayPid: number
before(async () => {
  const timeouts = {
    BERTH_HEADERS_TIMEOUT_MS: `${TIMEOUT_MS}`,
    BERTH_BODY_TIMEOUT_MS: `${TIMEOUT_MS}`,
    // None of them counts as idle while the others come, however long that takes.
    BERTH_IDLE_TIMEOUT_MS: '600000',
  }
  berth = await startBerth({ environment: timeouts })
  await serveEndpoint(berth, { name: 'echo' })
  gatewayPid = (await describePlatform(berth)).gateways[0]?.pid ?? 0
  load = new Load(berth, 'echo', 2)
})
after(async () => {
  await load.stop()
  await disposeBerth(berth)
})

// Whatever somebody else does, these go on.
afterEach(async () => {
  await load.untilMoreAnswers()
  assert.deepEqual(load.failures, [])
  assert.deepEqual(load.modelErrors, [])
  assert.deepEqual(load.wrongAnswers, [])
  const { control, gateways } = await describePlatform(berth)
  assert.equal(control.pid, berth.control.pid)
  assert.deepEqual(
    gateways.map(({ pid }) => pid),
    [gatewayPid],
  )
})

suite('slow clients', () => {
  test('heads that come byte by byte are cut off in time', async () => {
    // Before the first connection: nobody's time has begun.
    const startedAtMs = performance.now()
    const crowd = new Crowd(berth.port)
    await crowd.grow(200, '')
    crowd.send('POST / HTTP/1.1\r\nX-Slow: ')
    await crowd.untilDismissed(() => crowd.send('x'))
    assert.ok(performance.now() - startedAtMs >= TIMEOUT_MS * 0.9, 'not before their time was up')
  })

  test('a body that stalls is cut off in time, on every way through', async () => {
    for (const { path, service } of [
      { path: INVOCATIONS, service: 'sagemaker' },
      { path: '/bucket/key', service: 's3' },
    ]) {
      const { port, credentials } = berth
      const headers = await signHeaders({ port, path, body: '12345', service, ...credentials })
      const request = encodePost(path, { ...headers, 'content-length': '5' }, '12')
      const connection = new RawConnection(port).send(request)
      await connection.expect(/^HTTP\/1\.1 4\d\d /)
      await connection.closed()
    }
  })
})

suite('many clients', () => {
  test('10,000 idle connections', async (context) => {
    const room = Math.min(openFilesMax('self'), openFilesMax(gatewayPid)) - SPARE_FILES
    const count = Math.min(10_000, room)
    if (count < 10_000) context.diagnostic(`only ${count} connections: ulimit -n allows no more`)
    const residentBefore = findResidentBytes(gatewayPid) ?? 0
    const crowd = new Crowd(berth.port)
    try {
      await crowd.grow(count, HEALTH)
      assert.equal(crowd.openCount, count)
      await load.untilMoreAnswers(100)
      assert.equal(crowd.openCount, count, 'nobody was dismissed')
      const perConnection = ((findResidentBytes(gatewayPid) ?? 0) - residentBefore) / count
      context.diagnostic(`${Math.round(perConnection / 1024)} KiB of gateway for each connection`)
      assert.ok(perConnection < 32 * 1024, `${perConnection} bytes for each connection`)
    } finally {
      crowd.destroy()
    }
  })
})

suite('too much', () => {
  test('a body of 100 MB: 413, closed, and no memory of it', async (context) => {
    const { port, credentials } = berth
    const headers = await signHeaders({
      port,
      path: INVOCATIONS,
      body: '',
      ...credentials,
      namesBodyHash: false,
    })
    const announced = { ...headers, 'content-length': String(100 * MIB) }
    const chunked = { ...headers, 'transfer-encoding': 'chunked' }
    const residentBefore = findResidentBytes(gatewayPid) ?? 0
    let residentMax = 0
    for (const named of [announced, chunked]) {
      const head = Object.entries(named).map(([name, value]) => `${name}: ${value}\r\n`)
      const text = `POST ${INVOCATIONS} HTTP/1.1\r\n${head.join('')}\r\n`
      const isChunked = named === chunked
      const polite = await flood(text, { isChunked, bodyBytes: 100 * MIB, stopsWhenAnswered: true })
      assert.match(polite, /^HTTP\/1\.1 413 /)
      // Who sends on regardless is cut off at last, and may lose the answer with that: its own system drops what it has not read.
      const rude = await flood(text, { isChunked, bodyBytes: 100 * MIB, stopsWhenAnswered: false })
      assert.match(rude, /^(HTTP\/1\.1 413 |$)/)
      residentMax = Math.max(residentMax, findResidentBytes(gatewayPid) ?? 0)
    }
    const grownBytes = residentMax - residentBefore
    context.diagnostic(`gateway grew by ${Math.round(grownBytes / MIB)} MiB`)
    // Pieces that were read and dropped wait for the collector: some 30 to 60 MiB, whatever is sent.
    assert.ok(grownBytes < 90 * MIB, `gateway grew by ${grownBytes} bytes`)
  })

  test('an operation of 100 MB: refused by its length, and control keeps none of it', async (context) => {
    const residentBefore = findResidentBytes(berth.control.pid ?? 0) ?? 0
    const client = new WireClient(berth.port)
    const { status, code } = await client.send(
      await operation('CreateModel', JSON.stringify({ ModelName: 'x'.repeat(100 * MIB) })),
    )
    client.close()
    assert.deepEqual([status, code], [400, 'RequestEntityTooLargeException'])
    const grownBytes = (findResidentBytes(berth.control.pid ?? 0) ?? 0) - residentBefore
    context.diagnostic(`control grew by ${Math.round(grownBytes / MIB)} MiB`)
    assert.ok(grownBytes < 60 * MIB, `control grew by ${grownBytes} bytes`)
  })

  test('a huge header: 431', async () => {
    const head = `GET / HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`
    const answer = await new RawConnection(berth.port).send(head).closed()
    assert.match(answer, /^HTTP\/1\.1 431 /)
  })
})

suite('nonsense', () => {
  const malformed = {
    'no HTTP': 'hello\r\n\r\n',
    TLS: Buffer.from('16030100c8010000c40303', 'hex').toString('latin1'),
    'no Host': 'GET / HTTP/1.1\r\n\r\n',
    'two lengths': 'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12',
    'a length and chunks':
      'POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a chunk without a length':
      'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n',
  }
  for (const [name, bytes] of Object.entries(malformed)) {
    test(`${name}: 400 and closed`, async () => {
      const answer = await new RawConnection(berth.port).send(Buffer.from(bytes, 'latin1')).closed()
      assert.match(answer, /^HTTP\/1\.1 4\d\d /)
    })
  }

  test('any bytes at all', async () => {
    const piece = fc.constantFrom('GET ', 'POST / HTTP/1.1\r\n', 'Host: h\r\n', '\r\n', 'a: b\r\n')
    const noise = fc.string({ unit: 'binary', maxLength: 64 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(piece, noise), { maxLength: 8 }), async (pieces) => {
        const connection = new RawConnection(berth.port)
        const closed = new Promise((resolve) => connection.socket.once('close', resolve))
        connection.socket.end(pieces.join(''))
        await closed
        assert.doesNotMatch(connection.received, /^HTTP\/1\.1 [25]/)
      }),
      { numRuns: 200 },
    )
  })

  for (const { given, target, body, code } of [
    {
      given: 'bad JSON',
      target: 'CreateModel',
      body: '{"ModelName":',
      code: 'SerializationException',
    },
    {
      given: 'JSON that is no object',
      target: 'CreateModel',
      body: '[1]',
      code: 'SerializationException',
    },
    {
      given: 'a number for a string',
      target: 'CreateModel',
      body: '{"ModelName":{"a":1}}',
      code: 'SerializationException',
    },
    {
      given: 'a string for a list',
      target: 'CreateEndpointConfig',
      body: '{"EndpointConfigName":"c","ProductionVariants":"all"}',
      code: 'SerializationException',
    },
    {
      given: 'nothing where much is required',
      target: 'CreateModel',
      body: '{}',
      code: 'ValidationException',
    },
    {
      given: 'JSON a thousand levels deep',
      target: 'CreateModel',
      body: `{"ModelName":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      code: 'SerializationException',
    },
    {
      given: 'an unknown operation',
      target: 'MakeCoffee',
      body: '{}',
      code: 'UnknownOperationException',
    },
    {
      given: 'an operation not offered',
      target: 'CreateTrainingJob',
      body: '{}',
      code: 'UnknownOperationException',
    },
  ]) {
    test(`${given}: ${code}`, async () => {
      const client = new WireClient(berth.port)
      const answer = await client.send(await operation(target, body))
      client.close()
      assert.deepEqual([answer.status, answer.code], [400, code], answer.body)
    })
  }
})

async function operation(target: string, body: string) {
  const host = `127.0.0.1:${berth.port}`
  const json = 'application/x-amz-json-1.1'
  const headers = { host, 'content-type': json, 'x-amz-target': `SageMaker.${target}` }
  return await signRequest(
    { method: 'POST', path: '/', query: {}, headers, body },
    { ...berth.credentials, service: 'sagemaker' },
  )
}

/** Sends a head and then a body as fast as it is taken. @returns what came back until the server closed. */
interface Flood {
  readonly isChunked: boolean
  readonly bodyBytes: number
  readonly stopsWhenAnswered: boolean
}

async function flood(
  head: string,
  { isChunked, bodyBytes, stopsWhenAnswered }: Flood,
): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: berth.port })
  const piece = Buffer.alloc(MIB, 'x')
  let received = ''
  let isClosed = false
  let sentBytes = 0
  const sendMore = (): void => {
    while (!socket.destroyed && sentBytes < bodyBytes) {
      if (stopsWhenAnswered && received !== '') return
      sentBytes += piece.length
      if (isChunked) socket.write(`${piece.length.toString(16)}\r\n`)
      const isRoomy = socket.write(piece)
      if (isChunked) socket.write('\r\n')
      if (!isRoomy) return
    }
  }
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => (received += text))
  socket.on('drain', sendMore)
  socket.on('error', () => undefined)
  socket.once('close', () => (isClosed = true))
  socket.write(head)
  sendMore()
  await until('the server to close', () => isClosed)
  return received
}
