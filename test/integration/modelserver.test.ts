import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, test } from 'node:test'
import { Agent, request } from 'undici'
import { EXIT_CODES } from '../../src/modelserver/start-failure.ts'
import { until } from '../support/until.ts'

const root = join(import.meta.dirname, '../..')
const scratch = await mkdtemp(join(tmpdir(), 'berth-server-'))
const running = new Set<{ kill: (signal: 'SIGKILL') => boolean }>()
after(async () => {
  for (const child of running) child.kill('SIGKILL')
  await rm(scratch, { recursive: true })
})

let count = 0
function start(
  image: 'berth/onnx' | 'berth/echo',
  args: readonly string[],
  env: Record<string, string> = {},
) {
  count += 1
  const socketPath = join(scratch, `${count}.sock`)
  const main = join(root, 'src/modelserver/main.ts')
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const child = spawn(process.execPath, [main, '--image', image, '--socket', socketPath, ...args], {
    env: { PATH, NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running.add(child)
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const exited = once(child, 'close').then(([code]: unknown[]) => {
    running.delete(child)
    return { code, lastLine: stderr.trimEnd().split('\n').at(-1) }
  })
  const agent = new Agent({ connect: { socketPath } })
  const call = async (method: 'GET' | 'POST', path: string, init: Init = {}) => {
    const options = {
      method,
      dispatcher: agent,
      headers: init.headers ?? {},
      body: init.body ?? null,
    }
    const { statusCode, headers, body } = await request(`http://container${path}`, options)
    return { status: statusCode, headers, text: await body.text() }
  }
  const ping = (): Promise<number> =>
    call('GET', '/ping').then(
      ({ status }) => status,
      () => 0,
    )
  const ready = (): Promise<boolean> => until('a good ping', async () => (await ping()) === 200)
  const stop = async () => {
    child.kill('SIGTERM')
    return exited
  }
  return { child, call, ping, ready, stop, exited, agent }
}

interface Init {
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

async function modelDirectory(fixture: string | undefined): Promise<string> {
  count += 1
  const path = join(scratch, `model-${count}`)
  await mkdir(path)
  const source = join(root, 'test/fixtures/models', fixture ?? '')
  if (fixture !== undefined) await copyFile(source, join(path, 'model.onnx'))
  return path
}

const JSON_TYPE = { 'content-type': 'application/json' }
const ordered = (attributes: string) => ({ 'x-amzn-sagemaker-custom-attributes': attributes })

test('berth/onnx: pings 200 once the model is loaded, serves, and ends with 0 on SIGTERM', async () => {
  const server = start('berth/onnx', [
    '--model-directory',
    await modelDirectory('iris-zipmap.onnx'),
  ])
  await server.ready()
  const reply = await server.call('POST', '/invocations', {
    headers: { 'content-type': 'text/csv; charset=utf-8', accept: 'text/csv, application/json' },
    body: '5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n',
  })
  assert.equal(reply.status, 200)
  assert.equal(reply.headers['content-type'], 'text/csv')
  assert.match(reply.text, /^0,[^\n]+\n2,[^\n]+\n$/)
  assert.equal((await server.call('GET', '/invocations')).status, 405)
  assert.equal((await server.call('GET', '/models')).status, 404)
  assert.deepEqual(await server.stop(), { code: 0, lastLine: '' })
})

test('pings are answered while a long inference runs, and SIGTERM waits for its reply', async () => {
  const args = ['--model-directory', await modelDirectory('heavy.onnx')]
  const server = start('berth/onnx', args)
  await server.ready()
  const infer = () =>
    server.call('POST', '/invocations', { headers: JSON_TYPE, body: '{"instances":[[1500]]}' })
  // Pings that wait for the inference would be answered after it, each time.
  await until('three pings to be answered during one inference', async () => {
    let isAnswered = false
    const inference = infer().finally(() => (isAnswered = true))
    let pingCount = 0
    for (; !isAnswered && pingCount < 3; pingCount += 1) assert.equal(await server.ping(), 200)
    const wereMeanwhile = pingCount === 3 && !isAnswered
    assert.equal((await inference).status, 200)
    return wereMeanwhile
  })
  const inference = infer()
  assert.equal(await server.ping(), 200)
  const end = server.stop()
  assert.equal((await inference).status, 200)
  assert.equal((await end).code, 0)
})

test('a client that leaves a running inference does not keep the server from ending cleanly', async () => {
  const server = start('berth/onnx', ['--model-directory', await modelDirectory('heavy.onnx')])
  await server.ready()
  const body = '{"instances":[[1000]]}'
  const options = { method: 'POST' as const, dispatcher: server.agent, headers: JSON_TYPE, body }
  // On a machine that is busy elsewhere the answer may be there before the client leaves.
  await until('a client to leave before its answer', async () => {
    const client = new AbortController()
    const left = request('http://container/invocations', { ...options, signal: client.signal })
    const hasLeft = left.then(
      ({ body: reply }) => reply.dump().then(() => false),
      () => true,
    )
    assert.equal(await server.ping(), 200)
    client.abort()
    return hasLeft
  })
  assert.deepEqual(await server.stop(), { code: 0, lastLine: '' })
})

for (const { given, fixture, code, lastLine } of [
  {
    given: 'no model',
    fixture: undefined,
    code: EXIT_CODES.modelMissing,
    lastLine: /^no model.onnx in \/opt\/ml\/model/,
  },
  {
    given: 'a script',
    fixture: 'make.py',
    code: EXIT_CODES.modelInvalid,
    lastLine: /^model.onnx is not a valid ONNX file: /,
  },
  {
    given: 'a wrong opset',
    fixture: 'opset99.onnx',
    code: EXIT_CODES.modelUnsupported,
    lastLine: /^model.onnx uses opset 99, this runtime supports up to /,
  },
]) {
  test(`given ${given}, the process ends with its code and cause`, async () => {
    const server = start('berth/onnx', [
      '--model-directory',
      await modelDirectory(fixture),
      '--workers',
      '2',
    ])
    const end = await server.exited
    assert.equal(end.code, code)
    assert.match(end.lastLine ?? '', lastLine)
  })
}

test('bad options end the process with every problem named', async () => {
  const { code, lastLine } = await start('berth/echo', ['--workers', '0']).exited
  assert.equal(code, EXIT_CODES.badOptions)
  assert.match(lastLine ?? '', /--workers must be an integer from 1 to 64, not 0/)
})

test('a body over the limit is refused with 413, declared or not, and the server goes on', async () => {
  const server = start('berth/echo', ['--body-bytes-max', '1000'])
  await server.ready()
  const declared = await server.call('POST', '/invocations', { body: Buffer.alloc(100_000) })
  assert.equal(declared.status, 413)
  assert.match(declared.text, /larger than 1000 bytes/)
  async function* chunks() {
    for (let index = 0; index < 50; index += 1) yield Buffer.alloc(1000)
  }
  const options = {
    method: 'POST' as const,
    dispatcher: server.agent,
    body: Readable.from(chunks()),
  }
  const undeclared = await request('http://container/invocations', options)
  assert.equal(undeclared.statusCode, 413)
  await undeclared.body.dump()
  assert.equal(
    (await server.call('POST', '/invocations', { body: Buffer.alloc(1000) })).status,
    200,
  )
  await server.stop()
})

test('berth/echo: replies with the body and its type, or as the attributes order', async () => {
  const server = start('berth/echo', [])
  await server.ready()
  const send = (attributes: string, body = 'abcdef') =>
    server.call('POST', '/invocations', {
      headers: { 'content-type': 'a/b', ...ordered(attributes) },
      body,
    })
  const plain = await send('')
  assert.deepEqual(
    [plain.status, plain.headers['content-type'], plain.text],
    [200, 'a/b', 'abcdef'],
  )
  assert.equal((await send('status=404')).status, 404)
  assert.equal((await send('status=12')).status, 400)
  const echoed = await send('echo-attributes=1;trace=x')
  assert.equal(echoed.headers['x-amzn-sagemaker-custom-attributes'], 'echo-attributes=1;trace=x')
  const large = await send('size=1000000')
  assert.equal(large.headers['content-length'], '1000000')
  assert.equal(large.text, 'abcdefghijklmnopqrstuvwxyz'.repeat(38_462).slice(0, 1_000_000))
  const streamed = await send('chunks=3;chunk-delay-ms=5')
  assert.deepEqual([streamed.headers['transfer-encoding'], streamed.text], ['chunked', 'abcdef'])
  const shown = JSON.parse((await send('headers=1')).text) as { pid: number; method: string }
  assert.deepEqual([shown.pid, shown.method], [server.child.pid, 'POST'])
  await assert.rejects(send('chunks=3;break-after=2'))
  await assert.rejects(send('exit=1'))
  assert.deepEqual(await server.exited, {
    code: 1,
    lastLine: 'berth/echo exits as the custom attribute exit=1 asks',
  })
})

test('berth/echo: pings and ends as its environment orders', async () => {
  const failing = start('berth/echo', [], { BERTH_ECHO_PING_OK_COUNT: '2' })
  await until('the ping as ordered', async () => (await failing.ping()) === 503)
  await failing.stop()
  const ill = start('berth/echo', [], { BERTH_ECHO_PING_STATUS: '500' })
  await until('the ping as ordered', async () => (await ill.ping()) === 500)
  await ill.stop()
  const exiting = start('berth/echo', [], { BERTH_ECHO_EXIT_CODE: '42' })
  assert.deepEqual(await exiting.exited, {
    code: 42,
    lastLine: 'berth/echo exits as BERTH_ECHO_EXIT_CODE=42 asks',
  })
})

test('a server that nobody uses ends by itself', async () => {
  const server = start('berth/echo', ['--idle-exit-seconds', '1'])
  assert.deepEqual(await server.exited, { code: 0, lastLine: '' })
})

test('the socket of a killed predecessor is taken over, that of a living one is not', async () => {
  const first = start('berth/echo', [])
  await first.ready()
  const socketPath = join(scratch, `${count}.sock`)
  const second = await start('berth/echo', ['--socket', socketPath]).exited
  assert.equal(second.code, EXIT_CODES.cannotListen)
  assert.match(second.lastLine ?? '', /^cannot listen on .*EADDRINUSE/)
  first.child.kill('SIGKILL')
  await first.exited
  const third = start('berth/echo', ['--socket', socketPath])
  await until('the ping as ordered', async () => (await first.ping()) === 200)
  await third.stop()
})

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

test('SAGEMAKER_BIND_TO_PORT is listened on when there is no socket', async () => {
  const main = join(root, 'src/modelserver/main.ts')
  // A port that was free may be somebody else's by the time it is listened on.
  const child = await until('a server on a free port', async () => {
    const port = String(await findFreePort())
    const tried = spawn(process.execPath, [main, '--image', 'berth/echo'], {
      env: { PATH: process.env.PATH, SAGEMAKER_BIND_TO_PORT: port },
      stdio: 'ignore',
    })
    running.add(tried)
    const isServing = await until('a good ping, or the end', async () => {
      if (tried.exitCode !== null) return 'ended'
      const answer = fetch(`http://127.0.0.1:${port}/ping`)
      return await answer.then(
        ({ status }) => status === 200 && 'serving',
        () => false,
      )
    })
    if (isServing === 'serving') return tried
    assert.equal(tried.exitCode, EXIT_CODES.cannotListen)
    running.delete(tried)
    return undefined
  })
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'close'), [0, null])
  running.delete(child)
})
