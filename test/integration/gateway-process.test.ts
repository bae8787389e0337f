import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'

import { SageMakerRuntimeClient, InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { loadCredentials } from '../../src/gateway/credentials.ts'
import { programPath } from '../../src/platform/program.ts'
import type { DataPaths } from '../../src/platform/data-paths.ts'
import { encodeRouteSnapshot } from '../../src/wire/link.ts'
import type { GatewayRecord } from '../../src/wire/link.ts'
import { createDataDirectory, variant } from '../support/gateway-world.ts'
import { until } from '../support/until.ts'

async function startGateway(paths: DataPaths, ...more: readonly string[]) {
  const child = spawnGateway(paths, ['--gateway-id', 'g', ...more])
  const file = join(paths.gateways, 'g.json')
  const record = await until('the record', () => {
    if (!existsSync(file)) return undefined
    const read: GatewayRecord = JSON.parse(readFileSync(file, 'utf8'))
    return read.pid === child.pid ? read : undefined
  })
  return { child, port: record.port }
}

async function startContainer(paths: DataPaths, release: Promise<void>) {
  const path = join(paths.run, 'i.sock')
  let invocationCount = 0
  const server = createServer((request, response) => {
    invocationCount += 1
    request.resume()
    void release.then(() => response.end('ok'))
  })
  server.listen(path)
  await once(server, 'listening')
  const instance = { instanceId: 'i', address: { kind: 'socket' as const, path } }
  const routes = [{ endpointName: 'e', variants: [variant('blue', [instance])] }]
  writeFileSync(paths.routeSnapshot, encodeRouteSnapshot({ version: 1, routes }))
  return { server, invocationCount: () => invocationCount }
}

function invoke(paths: DataPaths, port: number) {
  const credentials = loadCredentials(paths.credentials)
  const endpoint = `http://127.0.0.1:${port}`
  const client = new SageMakerRuntimeClient({
    endpoint,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
  })
  return client.send(new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') }))
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

function spawnGateway(
  { dataDir, codeCache }: DataPaths,
  flags: readonly string[],
  stdout: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  const command = [programPath('gateway/main'), '--data-dir', dataDir, ...flags]
  return spawn(process.execPath, command, {
    stdio: ['ignore', stdout, 'inherit'],
    // As control starts it: what it compiles is written at its start.
    env: { ...process.env, NODE_COMPILE_CACHE: codeCache },
  })
}

test('a gateway process serves from the snapshot without control, in little memory', async (t) => {
  const paths = createDataDirectory()
  const { server } = await startContainer(paths, Promise.resolve())
  const { child, port } = await startGateway(paths)
  try {
    const reply = await invoke(paths, port)
    assert.equal(Buffer.from(reply.Body ?? []).toString(), 'ok')
    // Its own; what it shares with every Node process is about as much again.
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    const ownMebibytes = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
    t.diagnostic(`${Math.round(ownMebibytes)} MiB of its own`)
    assert.ok(ownMebibytes < 75)
  } finally {
    child.kill('SIGKILL')
    await exitOf(child)
    server.close()
    rmSync(paths.dataDir, { recursive: true })
  }
})

test('SIGTERM lets what is outstanding finish, then the process ends with 0 and takes its record along', async () => {
  const paths = createDataDirectory()
  const release = Promise.withResolvers<void>()
  const container = await startContainer(paths, release.promise)
  const { child, port } = await startGateway(paths)
  const call = invoke(paths, port)
  await until('the invocation', () => container.invocationCount() === 1)
  child.kill('SIGTERM')
  await until('the port to be closed', () =>
    fetch(`http://127.0.0.1:${port}/berth/health`).then(
      () => false,
      () => true,
    ),
  )
  release.resolve()
  assert.equal((await call).$metadata.httpStatusCode, 200)
  assert.equal(await exitOf(child), 0)
  assert.equal(existsSync(join(paths.gateways, 'g.json')), false)
  container.server.close()
  rmSync(paths.dataDir, { recursive: true })
})

test('SIGTERM ends a gateway in order from the moment on that anybody can know of it', async () => {
  const paths = createDataDirectory()
  const child = spawnGateway(paths, ['--gateway-id', 'g'])
  const watcher = watch(paths.gateways, { persistent: false }, (_event, name) => {
    if (name === 'g.json') child.kill('SIGTERM')
  })
  assert.equal(await exitOf(child), 0)
  watcher.close()
  rmSync(paths.dataDir, { recursive: true })
})

test('two gateways share a port', async () => {
  const paths = createDataDirectory()
  const first = await startGateway(paths, '--reuse-port')
  const port = String(first.port)
  const flags = ['--gateway-id', 'h', '--port', port, '--reuse-port']
  const second = spawnGateway(paths, [...flags])
  await until('the second record', () => existsSync(join(paths.gateways, 'h.json')))
  first.child.kill('SIGTERM')
  assert.equal(await exitOf(first.child), 0)
  const health = await fetch(`http://127.0.0.1:${port}/berth/health`)
  assert.equal(health.status, 200)
  second.kill('SIGTERM')
  assert.equal(await exitOf(second), 0)
  rmSync(paths.dataDir, { recursive: true })
})

test('an orphan ends by itself', async () => {
  const paths = createDataDirectory()
  const limits = ['--limits', '{"orphanGraceMs":1}']
  assert.equal(await exitOf(spawnGateway(paths, [...limits])), 0)
  rmSync(paths.dataDir, { recursive: true })
})

const badArguments = [
  {
    given: 'an unknown limit',
    args: ['--limits', '{"bodyBytes":1}'],
    says: /bodyBytes is not a limit/,
  },
  {
    given: 'a limit of the wrong type',
    args: ['--limits', '{"waitingMax":"1"}'],
    says: /waitingMax is \\"1\\"/,
  },
  { given: 'an address that is not here', args: ['--host', '192.0.2.1'], says: /EADDRNOTAVAIL/ },
]
for (const { given, args, says } of badArguments) {
  test(`a gateway with ${given} does not start and says why`, async () => {
    const paths = createDataDirectory()
    const child = spawnGateway(paths, [...args], 'pipe')
    assert.ok(child.stdout)
    const [log] = await Promise.all([text(child.stdout), once(child, 'exit')])
    assert.equal(child.exitCode, 1)
    assert.match(log, says)
    rmSync(paths.dataDir, { recursive: true })
  })
}
