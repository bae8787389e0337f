import type { Socket } from 'node:net'

import { LineReader, parseGatewayMessage } from '../../wire/link.ts'
import type {
  GatewayIdentity,
  GatewayMessage,
  GatewayReport,
  VariantCounters,
} from '../../wire/link.ts'

// A report names each instance with outstanding invocations and each variant in use; 16 MiB is some 100,000 of them.
const REPORT_LENGTH_MAX = 16 * 1024 * 1024
// A gateway that does not read gets a new snapshot on its next connection instead of an ever longer backlog.
const UNSENT_BYTES_MAX = 256 * 1024 * 1024

/** One connected gateway, from its hello on. */
export class LinkSession {
  readonly identity: GatewayIdentity
  readonly connectedAtMs: number
  readonly #socket: Socket
  readonly #countersByVariant = new Map<string, VariantCounters>()
  #report: GatewayReport | undefined

  constructor(identity: GatewayIdentity, socket: Socket, connectedAtMs: number) {
    this.identity = identity
    this.connectedAtMs = connectedAtMs
    this.#socket = socket
  }

  /** The last report; undefined before the first one. */
  get report(): GatewayReport | undefined {
    return this.#report
  }

  get routeVersion(): number {
    return this.#report?.routeVersion ?? 0
  }

  outstandingCount(instanceId: string): number {
    return this.#report?.outstandingByInstance[instanceId] ?? 0
  }

  variantCounters(endpointName: string): readonly VariantCounters[] {
    return [...this.#countersByVariant.values()].filter(
      (counters) => counters.endpointName === endpointName,
    )
  }

  recordReport(report: GatewayReport): void {
    this.#report = report
    for (const counters of report.variants) {
      this.#countersByVariant.set(`${counters.endpointName}/${counters.variantName}`, counters)
    }
  }

  /** Forgets the counters of an endpoint that is gone. */
  forgetEndpoint(endpointName: string): void {
    for (const { variantName } of this.variantCounters(endpointName)) {
      this.#countersByVariant.delete(`${endpointName}/${variantName}`)
    }
  }

  send(line: string): void {
    this.#socket.write(line)
    if (this.#socket.writableLength > UNSENT_BYTES_MAX) this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** Calls `onMessage` for every message of a gateway; a line that is none ends the connection. */
export function readGatewayMessages(
  socket: Socket,
  onMessage: (message: GatewayMessage) => void,
): void {
  const lines = new LineReader(REPORT_LENGTH_MAX)
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    try {
      for (const line of lines.read(text)) {
        const message = parseGatewayMessage(line)
        if (message !== undefined) onMessage(message)
      }
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  })
}
