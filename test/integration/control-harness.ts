import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SageMakerClient } from '@aws-sdk/client-sagemaker'
import { STSClient } from '@aws-sdk/client-sts'
import { createSqliteStore } from '../../src/adapters/sqlite/store.ts'
import type { BerthTarget } from '../../src/cli/client/find-berth.ts'
import type { ControlDeps } from '../../src/control/deps.ts'
import { createControlServer } from '../../src/control/server.ts'
import type { ObservedFleet } from '../../src/domain/fleet.ts'
import { findSecret } from '../../src/wire/find-secret.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLog } from '../../src/platform/log.ts'
import type { LogLine, LogRequest } from '../../src/ports/fleet-runtime.ts'
import { SigningKeyCache } from '../../src/wire/sigv4-keys.ts'

const AT = { accountId: '000000000000', region: 'us-east-1' }

/** The root key of the harness. */
export const ROOT = { accessKeyId: 'AKIAABCDEFGHIJKLMNOP', secretAccessKey: 'a/secret+key=' }

/** What clients of the harness are made with. */
export const ROOT_CLIENT = { region: AT.region, credentials: ROOT, maxAttempts: 1 }

/** The control server alone on a port: real store, signatures and protocols; nothing behind it runs anything. */
export class ControlHarness {
  readonly store = createSqliteStore({ path: ':memory:' })
  readonly logged: { readonly fields: Record<string, unknown>; readonly event: string }[] = []
  /** Targets of the requests that went to the S3 face. */
  readonly s3Targets: string[] = []
  /** Makes ListModels fail by a bug. */
  isStoreBroken = false
  /** How far the server's clock is ahead. */
  clockSkewMs = 0
  openLogStreamCount = 0
  readonly #sessionKey = randomBytes(32)
  readonly #server: Server = createControlServer(this.#deps())

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await this.store.close()
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get target(): BerthTarget {
    return { ...AT, credentials: ROOT, url: this.url }
  }

  sagemaker(options: { readonly credentials?: object; readonly region?: string } = {}) {
    return new SageMakerClient({ ...ROOT_CLIENT, ...options, endpoint: this.url } as never)
  }

  sts(credentials: typeof ROOT = ROOT): STSClient {
    return new STSClient({ ...ROOT_CLIENT, credentials, endpoint: this.url })
  }

  /** Plays the endpoint controller for the endpoint `Ep`, once. */
  async settleEndpoint(): Promise<void> {
    const endpoint = await this.store.findEndpoint('ep')
    assert.ok(endpoint)
    if (endpoint.status === 'Deleting') {
      assert.equal(await this.store.removeEndpoint('ep', endpoint.revision), true)
      return
    }
    const { deployment } = endpoint
    assert.ok(deployment?.kind === 'create')
    const settled = { ...endpoint, status: 'InService', serving: deployment.green } as const
    assert.equal(await this.store.saveEndpoint({ ...settled, deployment: undefined }), true)
  }

  #deps(): ControlDeps {
    const nowMs = (): number => systemClock.nowMs() + this.clockSkewMs
    const credentials = { ...AT, ...ROOT, sessionKey: this.#sessionKey }
    const logError = (fields: Record<string, unknown>, event: string): void => {
      this.logged.push({ fields, event })
    }
    return {
      installation: AT,
      store: this.#breakableStore(),
      clock: { ...systemClock, nowMs },
      isImageOffered: (image) => image === 'berth/echo',
      offeredImages: ['berth/echo'],
      findModelDataProblem: async () => undefined,
      readModelFile: () => Promise.resolve(undefined),
      describeHoldMs: 20_000,
      findSecret: (key, token) => findSecret(credentials, key, token, nowMs()),
      signingKeys: new SigningKeyCache(),
      installationKey: this.#sessionKey,
      routeObjects: async (request, response) => {
        this.s3Targets.push(request.url ?? '')
        response.end()
      },
      stopping: new AbortController().signal,
      fleetRuntime: {
        observeFleets: () => this.#observeFleets(),
        readLogs: (request, signal) => this.#readLogs(request, signal),
      },
      describePlatform: async () => ({ control: { pid: 7 } }),
      log: { ...silentLog, error: logError as never },
    }
  }

  #breakableStore(): ControlDeps['store'] {
    return new Proxy(this.store, {
      get: (target, key) => {
        if (this.isStoreBroken && key === 'listModels') throw new TypeError('bug at /secret/path')
        const member: unknown = Reflect.get(target, key)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  }

  async #observeFleets(): Promise<readonly ObservedFleet[]> {
    const endpoint = await this.store.findEndpoint('ep')
    return [observedFleet(endpoint?.endpointId ?? ''), observedFleet('another-life')]
  }

  async *#readLogs({ lineCount, follow }: LogRequest, signal: AbortSignal): AsyncIterable<LogLine> {
    this.openLogStreamCount += 1
    try {
      for (let at = 0; at < lineCount; at += 1) {
        yield { instanceId: 'i-1', variantName: 'AllTraffic', text: `line ${at}` }
      }
      if (follow) await once(signal, 'abort')
    } finally {
      this.openLogStreamCount -= 1
    }
  }
}

function observedFleet(endpointId: string): ObservedFleet {
  return {
    fleetId: `${endpointId}-1-AllTraffic`,
    endpointName: 'Ep',
    endpointId,
    variantName: 'AllTraffic',
    generation: 1,
    desiredInstanceCount: 1,
    startFailure: undefined,
    instances: [
      {
        instanceId: 'i-1',
        state: 'ready',
        reason: undefined,
        address: { kind: 'socket', path: '/secret/place' },
        pid: 42,
        startedAtMs: 1,
        readyAtMs: 2,
      },
    ],
  }
}
