import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'

import { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime'

import { createGatewayLink } from '../../src/adapters/gateway-link/gateway-link.ts'
import { findProcess } from '../../src/platform/process-identity.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLog } from '../../src/platform/log.ts'
import { encodeGatewayRecord, parseRouteSnapshot } from '../../src/wire/link.ts'
import { GatewayWorld, createDataDirectory, variant } from '../support/gateway-world.ts'
import { until } from '../support/until.ts'

const invocation = new InvokeEndpointCommand({ EndpointName: 'e', Body: Buffer.from('1') })

function linkOf(world: Pick<GatewayWorld, 'paths'>) {
  return createGatewayLink({
    socketPath: world.paths.linkSocket,
    snapshotFile: world.paths.routeSnapshot,
    gatewaysDir: world.paths.gateways,
    clock: systemClock,
    log: silentLog,
  })
}

test('an instance is drained only after its last invocation, though it left the route before', async () => {
  await using world = await GatewayWorld.start()
  const release = Promise.withResolvers<void>()
  const old = await world.container(async (_, response) => {
    await release.promise
    response.end('old')
  })
  const young = await world.container((_, response) => response.end('young'))
  await world.route('e', [variant('blue', [old])])
  assert.equal(world.link.isDrained(old.instanceId), false)
  const call = world.client().send(invocation)
  await until('the invocation', () => old.invocationCount() === 1)
  await world.route('e', [variant('blue', [young])])
  assert.equal(world.link.isDrained(old.instanceId), false)
  release.resolve()
  assert.equal(Buffer.from((await call).Body ?? []).toString(), 'old')
  await until('the report', () => world.link.isDrained(old.instanceId))
  assert.equal(world.link.isDrained(young.instanceId), false)
  world.link.withdrawRoute('e')
  assert.deepEqual(world.link.routedEndpointNames(), [])
  await until('the withdrawal', () => world.link.isDrained(young.instanceId))
  await assert.rejects(world.client().send(invocation), { name: 'ValidationError' })
})

test('an instance is not drained before the gateway has applied the route without it', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container((_, response) => response.end())
  await world.route('e', [variant('blue', [container])])
  world.link.withdrawRoute('e')
  // Nothing can have been heard yet: no turn of the event loop has passed.
  assert.equal(world.link.isDrained(container.instanceId), false)
  await until('the report', () => world.link.isDrained(container.instanceId))
})

test('publishing the same route again sends nothing', async () => {
  await using world = await GatewayWorld.start()
  await world.route('e', [variant('blue', [])])
  const { routeVersion } = world.link.stats()
  world.link.publishRoute({ endpointName: 'e', variants: [variant('blue', [])] })
  assert.equal(world.link.stats().routeVersion, routeVersion)
})

test('with control gone the gateway serves on; a new control starts from the table on disk', async () => {
  await using world = await GatewayWorld.start()
  const container = await world.container((_, response) => response.end('ok'))
  const leaving = await world.container((_, response) => response.end('ok'))
  await world.route('e', [variant('blue', [container])])
  await world.route('gone', [variant('blue', [leaving])])
  await world.link.close()
  assert.equal((await world.client().send(invocation)).$metadata.httpStatusCode, 200)

  const next = linkOf(world)
  assert.deepEqual(next.routedEndpointNames(), ['e', 'gone'])
  await next.start()
  try {
    // The gateway lives and is not connected yet: it may still use anything.
    assert.equal(next.isDrained('unknown'), false)
    await until('the gateway to come back', () => next.listGateways().length === 1)
    assert.equal((await world.client().send(invocation)).$metadata.httpStatusCode, 200)
    next.withdrawRoute('gone')
    await until('the withdrawal', () => next.isDrained(leaving.instanceId))
    await until('the first report', () => next.isDrained('unknown'))
    assert.equal(next.isDrained(container.instanceId), false)
  } finally {
    await next.close()
  }
})

test('a gateway that runs but is not connected keeps instances from being drained, a dead one does not', async () => {
  const paths = createDataDirectory()
  const self = findProcess(process.pid)
  assert.ok(self)
  const identity = { gatewayId: 'a', host: 'h', port: 1, programVersion: '0' }
  const record = encodeGatewayRecord({ ...identity, ...self })
  writeFileSync(`${paths.gateways}/a.json`, record)
  const alive = linkOf({ paths })
  await alive.start()
  assert.equal(alive.isDrained('i'), false)
  await alive.close()
  const later = encodeGatewayRecord({
    ...identity,
    pid: self.pid,
    startToken: 'of another process',
  })
  writeFileSync(`${paths.gateways}/a.json`, later)
  const dead = linkOf({ paths })
  await dead.start()
  assert.equal(dead.isDrained('i'), true)
  await dead.close()
  rmSync(paths.dataDir, { recursive: true })
})

test('the table on disk follows within a moment and is always whole', async () => {
  await using world = await GatewayWorld.start()
  for (let count = 0; count < 200; count++) {
    world.link.publishRoute({ endpointName: `e${count}`, variants: [variant('blue', [])] })
    if (count % 20 === 0) await world.applied()
  }
  const snapshot = await until('the last table', () => {
    if (!existsSync(world.paths.routeSnapshot)) return undefined
    const read = parseRouteSnapshot(readFileSync(world.paths.routeSnapshot, 'utf8'))
    assert.ok(read)
    return read.routes.length === 200 ? read : undefined
  })
  assert.equal(snapshot.version, world.link.stats().routeVersion)
})
