import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

import { MODEL_ASKS } from '../../domain/multi-model/model-messages.ts'
import type { ModelAsk, ModelNews } from '../../domain/multi-model/model-messages.ts'
import type { EndpointRoute } from '../../domain/routes.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Gateways } from '../../ports/gateways.ts'
import type { ModelLink, ModelLinkListener } from '../../ports/model-link.ts'
import { encodeLinkMessage } from '../../wire/link.ts'
import type {
  ControlMessage,
  GatewayIdentity,
  GatewayMessage,
  GatewayReport,
  InstanceObservation,
  VariantCounters,
} from '../../wire/link.ts'
import { LinkSession, readGatewayMessages } from './link-session.ts'
import { UnconnectedGateways } from './live-gateways.ts'
import { RouteLedger } from './route-ledger.ts'
import { SnapshotFile, loadRouteSnapshot } from './snapshot-file.ts'

// A gateway acknowledges a change in a millisecond or two, and late on a machine that has other things to do. One that takes
// longer than this hangs, and answers nobody.
const SETTLE_MS_MAX = 2_000

/** What the link takes from its surroundings. */
export interface GatewayLinkOptions {
  /** `DataPaths.linkSocket`. A socket file left there by a dead process is replaced. */
  readonly socketPath: string
  /** `DataPaths.routeSnapshot`: the first table, and where each table is kept. */
  readonly snapshotFile: string
  /** `DataPaths.gateways`: records of running gateways. */
  readonly gatewaysDir: string
  readonly clock: Clock
  readonly log: Log
}

/** A gateway whose connection to this process is open. */
export interface ConnectedGateway extends GatewayIdentity {
  readonly connectedAtMs: number
  /** Undefined until its first report. */
  readonly report: GatewayReport | undefined
}

/** What `describe --platform` shows. */
export interface GatewayLinkStats {
  readonly routeVersion: number
  readonly endpointCount: number
  readonly gateways: readonly ConnectedGateway[]
}

/** Builds control's end of the link; {@link GatewayLink.start} opens it. */
export function createGatewayLink(options: GatewayLinkOptions): GatewayLink {
  return new GatewayLink(options)
}

/**
 * Control's end of the link: keeps the route table, tells every gateway each change, and hears what they still use.
 *
 * A restarted control begins with the table its predecessor left on disk, because gateways go on serving from it: it
 * sends no smaller table than that until a controller withdraws a route.
 */
export class GatewayLink implements Gateways, ModelLink {
  readonly #options: GatewayLinkOptions
  readonly #ledger: RouteLedger
  readonly #snapshotFile: SnapshotFile
  readonly #sessionByGateway = new Map<string, LinkSession>()
  readonly #unconnected = new UnconnectedGateways()
  readonly #sockets = new Set<Socket>()
  readonly #changeListeners = new Set<() => void>()
  readonly #observationListeners = new Set<(observation: InstanceObservation) => void>()
  readonly #modelListeners = new Set<ModelLinkListener>()
  readonly #server: Server

  constructor(options: GatewayLinkOptions) {
    this.#options = options
    this.#ledger = new RouteLedger(loadRouteSnapshot(options.snapshotFile))
    this.#snapshotFile = new SnapshotFile({
      file: options.snapshotFile,
      clock: options.clock,
      log: options.log,
      snapshot: () => this.#ledger.snapshot(),
    })
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** Listens for gateways. */
  async start(): Promise<void> {
    this.#unconnected.loadRecords(this.#options.gatewaysDir)
    rmSync(this.#options.socketPath, { force: true })
    const listening = Promise.withResolvers<void>()
    this.#server.once('error', listening.reject)
    this.#server.listen(this.#options.socketPath, listening.resolve)
    await listening.promise
    this.#server.removeListener('error', listening.reject)
    this.#server.on('error', (error) => this.#options.log.error({ err: error }, 'link failed'))
    chmodSync(this.#options.socketPath, 0o600)
  }

  /** Writes the last table and lets go of the gateways, which go on serving. */
  async close(): Promise<void> {
    const closed = Promise.withResolvers<void>()
    this.#server.close(() => closed.resolve())
    for (const socket of this.#sockets) socket.destroy()
    await this.#snapshotFile.close()
    await closed.promise
  }

  publishRoute(route: EndpointRoute): void {
    this.#broadcast(this.#ledger.put(route))
  }

  withdrawRoute(endpointName: string): void {
    this.#broadcast(this.#ledger.remove(endpointName))
    for (const session of this.#sessionByGateway.values()) session.forgetEndpoint(endpointName)
  }

  routedEndpointNames(): readonly string[] {
    return this.#ledger.endpointNames()
  }

  /**
   * | the instance | the gateway | drained there |
   * |---|---|---|
   * | is routed | any | no |
   * | left at version v | connected, applied < v | no |
   * | left at version v | connected, applied ≥ v | when it reports nothing outstanding |
   * | left | runs, is not connected | no |
   * | left | process gone | yes |
   */
  isDrained(instanceId: string): boolean {
    const leftAtVersion = this.#ledger.leftAtVersion(instanceId)
    if (leftAtVersion === undefined || this.#unconnected.hasLive()) return false
    for (const session of this.#sessionByGateway.values()) {
      if (session.routeVersion < leftAtVersion) return false
      if (session.outstandingCount(instanceId) > 0) return false
    }
    return true
  }

  /** Whether every connected gateway has applied every change so far. */
  hasSettled(): boolean {
    const sessions = [...this.#sessionByGateway.values()]
    return sessions.every(({ routeVersion }) => routeVersion >= this.#ledger.version)
  }

  async settled(): Promise<void> {
    const timeout = AbortSignal.timeout(SETTLE_MS_MAX)
    while (!this.hasSettled() && !timeout.aborted) await this.#nextChange(timeout)
  }

  listGateways(): readonly ConnectedGateway[] {
    return [...this.#sessionByGateway.values()].map(({ identity, connectedAtMs, report }) => ({
      ...identity,
      connectedAtMs,
      report,
    }))
  }

  stats(): GatewayLinkStats {
    return {
      routeVersion: this.#ledger.version,
      endpointCount: this.#ledger.endpointNames().length,
      gateways: this.listGateways(),
    }
  }

  /** Counters of an endpoint's variants, one entry for each connected gateway that has served it since it started. */
  variantCounters(endpointName: string): readonly VariantCounters[] {
    return [...this.#sessionByGateway.values()].flatMap((session) =>
      session.variantCounters(endpointName),
    )
  }

  /** Calls the listener after a gateway connected, reported or was lost: when {@link isDrained} may have changed. */
  onChange(listener: () => void): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  /** Calls the listener when a gateway noticed something about an instance. */
  onObservation(listener: (observation: InstanceObservation) => void): () => void {
    this.#observationListeners.add(listener)
    return () => this.#observationListeners.delete(listener)
  }

  connectedGatewayIds(): readonly string[] {
    return [...this.#sessionByGateway.keys()]
  }

  hasGatewayAway(): boolean {
    return this.#unconnected.hasLive()
  }

  tell(gatewayId: string, news: ModelNews): void {
    this.#sessionByGateway.get(gatewayId)?.send(encodeLinkMessage(news))
  }

  tellAll(news: ModelNews): void {
    const line = encodeLinkMessage(news)
    for (const session of this.#sessionByGateway.values()) session.send(line)
  }

  listen(listener: ModelLinkListener): () => void {
    this.#modelListeners.add(listener)
    // Their first words may have come before anybody listened.
    for (const gatewayId of this.#sessionByGateway.keys()) listener.onGateway(gatewayId)
    return () => this.#modelListeners.delete(listener)
  }

  #broadcast(change: ControlMessage | undefined): void {
    if (change === undefined) return
    const line = encodeLinkMessage(change)
    for (const session of this.#sessionByGateway.values()) session.send(line)
    this.#snapshotFile.schedule()
  }

  #accept(socket: Socket): void {
    let session: LinkSession | undefined
    this.#sockets.add(socket)
    readGatewayMessages(socket, (message) => {
      if (message.kind === 'hello') session = this.#welcome(message, socket)
      else if (session !== undefined) this.#hear(session, message)
    })
    socket.on('error', (error) => this.#options.log.warn({ err: error }, 'gateway link broken'))
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (session !== undefined) this.#dismiss(session)
    })
  }

  #welcome(identity: GatewayIdentity, socket: Socket): LinkSession {
    const { gatewayId, pid, host, port, programVersion } = identity
    const known = { gatewayId, pid, host, port, programVersion }
    const session = new LinkSession(known, socket, this.#options.clock.nowMs())
    const previous = this.#sessionByGateway.get(gatewayId)
    this.#sessionByGateway.set(gatewayId, session)
    previous?.destroy()
    this.#unconnected.remove(gatewayId)
    session.send(encodeLinkMessage({ kind: 'snapshot', ...this.#ledger.snapshot() }))
    this.#options.log.info({ gatewayId, pid, port }, 'gateway connected')
    // Not before the caller knows the session: a listener may look at it.
    queueMicrotask(() => {
      for (const listener of this.#modelListeners) listener.onGateway(gatewayId)
      this.#announceChange()
    })
    return session
  }

  #hear(session: LinkSession, message: Exclude<GatewayMessage, { kind: 'hello' }>): void {
    if (message.kind === 'observation') {
      for (const listener of this.#observationListeners) listener(message)
      return
    }
    if (isModelAsk(message)) {
      const { gatewayId } = session.identity
      for (const listener of this.#modelListeners) listener.onAsk(gatewayId, message)
      return
    }
    session.recordReport(message)
    const applied = [...this.#sessionByGateway.values()].map(({ routeVersion }) => routeVersion)
    this.#ledger.forgetUpTo(Math.min(...applied))
    this.#announceChange()
  }

  #dismiss(session: LinkSession): void {
    const { gatewayId, pid } = session.identity
    if (this.#sessionByGateway.get(gatewayId) !== session) return
    this.#sessionByGateway.delete(gatewayId)
    this.#unconnected.add(gatewayId, pid)
    this.#options.log.info({ gatewayId, pid }, 'gateway disconnected')
    for (const listener of this.#modelListeners) listener.onGatewayLost(gatewayId)
    this.#announceChange()
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        remove()
        signal.removeEventListener('abort', end)
        resolve()
      }
      const remove = this.onChange(end)
      signal.addEventListener('abort', end)
    })
  }

  #announceChange(): void {
    for (const listener of this.#changeListeners) listener()
  }
}

function isModelAsk(message: { readonly kind: string }): message is ModelAsk {
  return MODEL_ASKS.has(message.kind)
}
