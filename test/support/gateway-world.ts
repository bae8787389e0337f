import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime'

import { createGatewayLink } from '../../src/adapters/gateway-link/gateway-link.ts'
import type { GatewayLink } from '../../src/adapters/gateway-link/gateway-link.ts'
import type { EndpointRoute, InstanceRoute, VariantRoute } from '../../src/domain/routes.ts'
import { loadCredentials } from '../../src/gateway/credentials.ts'
import type { Credentials } from '../../src/wire/find-secret.ts'
import { Gateway } from '../../src/gateway/gateway.ts'
import { DEFAULT_LIMITS } from '../../src/gateway/limits.ts'
import type { GatewayLimits } from '../../src/gateway/limits.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { dataPathsOf } from '../../src/platform/data-paths.ts'
import type { DataPaths } from '../../src/platform/data-paths.ts'
import { silentLog } from '../../src/platform/log.ts'
import { until } from './until.ts'

// The same suites run on both fronts: gateway-front-node.test.ts sets it.
const FRONT = process.env['BERTH_TEST_FRONT'] === 'node' ? 'node' : 'strict'

/** What a stub container does with a request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

/** A stub container: an HTTP server on a Unix socket that counts what it was asked. */
export interface StubContainer extends InstanceRoute {
  readonly server: Server
  readonly invocationCount: () => number
}

/** A data directory with a gateway and control's end of the link, all in this process. */
export class GatewayWorld implements AsyncDisposable {
  readonly paths: DataPaths
  readonly credentials: Credentials
  readonly link: GatewayLink
  readonly gateway: Gateway
  /** What the gateway draws; a test may replace it. */
  random: () => number = Math.random
  readonly #servers: Server[] = []
  readonly #clients: SageMakerRuntimeClient[] = []

  /** @param nowMs what invocations take by: the machine's time unless given. */
  constructor(limits: Partial<GatewayLimits> = {}, nowMs?: () => number) {
    this.paths = createDataDirectory()
    this.credentials = loadCredentials(this.paths.credentials)
    this.link = createGatewayLink({
      socketPath: this.paths.linkSocket,
      snapshotFile: this.paths.routeSnapshot,
      gatewaysDir: this.paths.gateways,
      clock: systemClock,
      log: silentLog,
    })
    this.gateway = new Gateway({
      gatewayId: 'g1',
      paths: this.paths,
      host: '127.0.0.1',
      port: 0,
      reusePort: false,
      programVersion: '0.0.0',
      credentials: this.credentials,
      limits: { ...DEFAULT_LIMITS, drainTimeoutMs: 2_000, front: FRONT, ...limits },
      clock: systemClock,
      ...(nowMs !== undefined && { nowMs }),
      random: () => this.random(),
      log: silentLog,
    })
  }

  static async start(
    limits: Partial<GatewayLimits> = {},
    nowMs?: () => number,
  ): Promise<GatewayWorld> {
    const world = new GatewayWorld(limits, nowMs)
    await world.link.start()
    await world.gateway.start()
    await until('the link', () => world.link.listGateways()[0]?.report !== undefined)
    return world
  }

  get url(): string {
    return `http://127.0.0.1:${this.gateway.port}`
  }

  /** An SDK client that does not repeat calls. */
  client(
    credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } = this
      .credentials,
  ): SageMakerRuntimeClient {
    const { region } = this.credentials
    const client = new SageMakerRuntimeClient({
      endpoint: this.url,
      region,
      credentials,
      maxAttempts: 1,
    })
    this.#clients.push(client)
    return client
  }

  async container(answer: Answer): Promise<StubContainer> {
    let invocationCount = 0
    const server = createServer((request, response) => {
      invocationCount += 1
      void answer(request, response)
    })
    const instanceId = randomBytes(4).toString('hex')
    const path = join(this.paths.run, `${instanceId}.sock`)
    await this.listen(server, path)
    return {
      instanceId,
      address: { kind: 'socket', path },
      server,
      invocationCount: () => invocationCount,
    }
  }

  async listen(server: Server, path: string): Promise<void> {
    this.#servers.push(server)
    server.listen(path)
    await once(server, 'listening')
  }

  /** Publishes a route and waits until the gateway has applied it. */
  async route(endpointName: string, variants: readonly VariantRoute[]): Promise<void> {
    const route: EndpointRoute = { endpointName, variants }
    this.link.publishRoute(route)
    await this.applied()
  }

  /** Waits until the gateway has applied every change so far. */
  async applied(): Promise<void> {
    await until('the route to be applied', () => this.link.hasSettled())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy()
    for (const server of this.#servers) {
      server.close()
      server.closeAllConnections()
    }
    await this.gateway.stop()
    await this.link.close()
    rmSync(this.paths.dataDir, { recursive: true, force: true })
  }
}

/** One variant; everything but its name has a default. */
export function variant(
  variantName: string,
  instances: readonly InstanceRoute[],
  given: Partial<VariantRoute> = {},
): VariantRoute {
  return {
    variantName,
    weight: 1,
    routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
    containerHostname: 'primary',
    instances: instances.map(({ instanceId, address }) => ({ instanceId, address })),
    ...given,
  }
}

/** A fresh data directory with credentials. */
export function createDataDirectory(): DataPaths {
  const paths = dataPathsOf(mkdtempSync(join(tmpdir(), 'berth-gw-')))
  mkdirSync(paths.gateways, { recursive: true })
  const text = JSON.stringify({
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionKeyHex: randomBytes(32).toString('hex'),
    accountId: '000000000000',
    region: 'us-east-1',
  })
  writeFileSync(paths.credentials, text)
  return paths
}
