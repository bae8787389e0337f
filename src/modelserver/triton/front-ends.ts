import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from '../log.ts'
import { StartFailure } from '../start-failure.ts'
import { emptyReply } from './http/http-call.ts'
import { HttpFront } from './http/http-front.ts'
import { inferRoutes } from './http/infer-routes.ts'
import { metricsRoutes } from './http/metrics-routes.ts'
import { modelRoutes } from './http/model-routes.ts'
import { repositoryRoutes } from './http/repository-routes.ts'
import { settingsRoutes } from './http/settings-routes.ts'
import type { InferenceServer } from './inference-server.ts'
import type { LogSettings } from './log-settings.ts'
import type { Listening, TritonOptions } from './options.ts'

/** What the front ends need. */
export interface FrontEndOptions {
  readonly server: InferenceServer
  readonly options: TritonOptions
  readonly logSettings: LogSettings
  readonly log: Log
}

/** The sockets of the server: HTTP, gRPC and metrics. */
export class FrontEnds {
  readonly #given: FrontEndOptions
  readonly #servers: Server[] = []

  constructor(given: FrontEndOptions) {
    this.#given = given
  }

  /** @throws StartFailure `cannotListen`. */
  async listen(): Promise<void> {
    const { server, options, logSettings, log } = this.#given
    const { inputBytesMax, http, metrics } = options
    const routes = [
      ...inferRoutes(server, inputBytesMax),
      ...modelRoutes(server),
      ...repositoryRoutes(server),
      ...settingsRoutes(server, logSettings),
    ]
    const front = new HttpFront({ routes, inputBytesMax, log })
    await this.#start('HTTPService', front.server, http)
    const fallback = () => emptyReply()
    const scraped = new HttpFront({ routes: metricsRoutes(server), inputBytesMax, log, fallback })
    await this.#start('Metrics Service', scraped.server, metrics)
  }

  /** Stops accepting; resolves when every answer is out. */
  async close(): Promise<void> {
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
    // Scripts wait for this line as it is.
    const bound = boundPort(server.address()) ?? port
    process.stderr.write(`Started ${name} at ${address}:${bound}\n`)
  }
}

function boundPort(address: AddressInfo | string | null): number | undefined {
  return typeof address === 'object' && address !== null ? address.port : undefined
}
