import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from '../log.ts'
import { StartFailure } from '../start-failure.ts'
import { GrpcFront } from './grpc/grpc-front.ts'
import { createGrpcMethods } from './grpc/grpc-methods.ts'
import { emptyReply } from './http/http-call.ts'
import { HttpFront } from './http/http-front.ts'
import { generateRoutes } from './http/generate-routes.ts'
import { inferRoutes } from './http/infer-routes.ts'
import { metricsRoutes } from './http/metrics-routes.ts'
import { modelRoutes } from './http/model-routes.ts'
import { repositoryRoutes } from './http/repository-routes.ts'
import { settingsRoutes } from './http/settings-routes.ts'
import { sharedMemoryRoutes } from './http/shared-memory-routes.ts'
import type { InferenceServer } from './inference-server.ts'
import type { LogSettings } from './log-settings.ts'
import type { Listening, TritonOptions } from './options.ts'
import type { SharedRegions } from './shared-memory/shared-regions.ts'
import type { Tracing } from './trace/tracing.ts'

/** What the front ends need. */
export interface FrontEndOptions {
  readonly server: InferenceServer
  readonly options: TritonOptions
  readonly regions: SharedRegions
  readonly tracing: Tracing
  readonly logSettings: LogSettings
  readonly log: Log
}

/** The sockets of the server: HTTP, gRPC and metrics. */
export class FrontEnds {
  readonly #given: FrontEndOptions
  readonly #servers: Server[] = []
  #grpc: GrpcFront | undefined

  constructor(given: FrontEndOptions) {
    this.#given = given
  }

  /** @throws StartFailure `cannotListen`. */
  async listen(): Promise<void> {
    const { server, regions, tracing, options, log } = this.#given
    const { inputBytesMax, unreadBytesMax, http, grpc, metrics } = options
    const inference = { server, regions, tracing, jsonBytesMax: inputBytesMax }
    const routes = [
      ...inferRoutes(inference),
      ...generateRoutes({ ...inference, unreadBytesMax }),
      ...modelRoutes(server),
      ...repositoryRoutes(server),
      ...sharedMemoryRoutes(regions),
      ...settingsRoutes(this.#given),
    ]
    const front = new HttpFront({ routes, inputBytesMax, log })
    await this.#start('HTTPService', front.server, http)
    if (grpc.isAllowed) {
      this.#grpc = new GrpcFront(createGrpcMethods({ ...this.#given, unreadBytesMax }), log)
      await this.#startGrpc(this.#grpc, grpc)
    }
    const fallback = () => emptyReply()
    const scraped = new HttpFront({ routes: metricsRoutes(server), inputBytesMax, log, fallback })
    await this.#start('Metrics Service', scraped.server, metrics)
  }

  /** Stops accepting; resolves when every answer is out. */
  async close(): Promise<void> {
    await this.#grpc?.close()
    await Promise.all(
      this.#servers.map((server) => {
        const closed = new Promise((resolve) => server.close(resolve))
        server.closeIdleConnections()
        return closed
      }),
    )
  }

  async #start(name: string, server: Server, { isAllowed, address, port }: Listening) {
    if (!isAllowed) return
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        const message = `failed to start ${name} at ${address}:${port}: ${error.message}`
        reject(new StartFailure('cannotListen', message))
      })
      server.listen({ host: address, port }, resolve)
    })
    this.#servers.push(server)
    announce(name, address, boundPort(server.address()) ?? port)
  }

  async #startGrpc(front: GrpcFront, { address, port }: Listening): Promise<void> {
    const name = 'GRPCInferenceService'
    try {
      announce(name, address, await front.listen(address, port))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const message = `failed to start ${name} at ${address}:${port}: ${reason}`
      throw new StartFailure('cannotListen', message)
    }
  }
}

// Scripts wait for this line as it is.
function announce(name: string, address: string, port: number): void {
  process.stderr.write(`Started ${name} at ${address}:${port}\n`)
}

function boundPort(address: AddressInfo | string | null): number | undefined {
  return typeof address === 'object' && address !== null ? address.port : undefined
}
