import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { writeFileAtomically } from '../platform/atomic-file.ts'
import type { DataPaths } from '../platform/data-paths.ts'
import type { Log } from '../platform/log.ts'
import { findProcess, findResidentBytes } from '../platform/process-identity.ts'
import type { Clock } from '../ports/clock.ts'
import { encodeGatewayRecord, parseRouteSnapshot } from '../wire/link.ts'
import type { GatewayReport } from '../wire/link.ts'
import { Admission } from './admission.ts'
import { Authenticator } from './authenticate.ts'
import { BodyBudget } from './body-budget.ts'
import { Connections } from './connections.ts'
import type { Credentials } from '../wire/find-secret.ts'
import type { GatewayLimits } from './limits.ts'
import { LinkClient } from './link-client.ts'
import { ModelDirectory } from './models/model-directory.ts'
import { ModelLanes } from './models/model-lanes.ts'
import { RouteTable } from './route-table.ts'
import { createGatewayServer } from './server.ts'
import type { GatewayServer } from './server.ts'
import { InvocationStats } from './stats.ts'
import { Turns } from './turns.ts'

const ORPHAN_POLL_MS = 1_000
// Connections the kernel holds until they are accepted (it caps this at its own limit). With node's 511, a burst of
// thousands waits for seconds: refused ones repeat their first packet after 1 s, 3 s, 7 s.
const BACKLOG_MAX = 8_192

/** What a gateway is made of. */
export interface GatewayOptions {
  readonly gatewayId: string
  readonly paths: DataPaths
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Whether other gateways listen on the same port. */
  readonly reusePort: boolean
  readonly programVersion: string
  readonly credentials: Credentials
  readonly limits: GatewayLimits
  readonly clock: Clock
  /** What invocations take is measured by it. @defaultValue performance.now */
  readonly nowMs?: () => number
  readonly random: () => number
  readonly log: Log
}

/**
 * One data-plane process: the public port, the route table, the link to control.
 *
 * It serves from the route snapshot on disk from its first moment and goes on serving while control is away.
 */
export class Gateway {
  readonly #options: GatewayOptions
  readonly #stats = new InvocationStats()
  readonly #admission: Admission
  readonly #connections: Connections
  readonly #directory: ModelDirectory
  readonly #models: ModelLanes
  readonly #routes: RouteTable
  readonly #budget: BodyBudget
  readonly #server: GatewayServer
  readonly #running = new AbortController()
  readonly #orphaned = Promise.withResolvers<void>()
  #link: LinkClient | undefined
  #knowsRoutes = false
  #isStopping = false
  #port = 0
  #connectionCount = 0

  constructor(options: GatewayOptions) {
    const { limits, clock, nowMs, random, credentials, log, paths } = options
    this.#options = options
    this.#admission = new Admission({
      ...limits,
      clock,
      ...(nowMs !== undefined && { nowMs }),
      random,
      onInstanceFree: () => this.#link?.reportSoon(),
    })
    this.#connections = new Connections(limits)
    const clockMs = nowMs ?? (() => performance.now())
    this.#directory = new ModelDirectory({
      ask: (ask) => this.#link?.ask(ask),
      nowMs: clockMs,
    })
    const { waitingMax, unreadyWaitMs } = limits
    this.#models = new ModelLanes({
      admission: this.#admission,
      directory: this.#directory,
      waitingMax,
      unreadyWaitMs,
      clock,
      nowMs: clockMs,
    })
    this.#budget = new BodyBudget(limits.bufferedBytesMax)
    this.#routes = new RouteTable((previous, next) => {
      this.#admission.applyRoute(previous, next)
      this.#models.applyRoute(previous, next)
      this.#connections.applyRoute(previous, next)
      if (previous !== undefined && next === undefined) {
        this.#stats.forgetEndpoint(previous.endpointName)
      }
    })
    this.#server = createGatewayServer({
      findEndpoint: (endpointName) => this.#routes.find(endpointName),
      admission: this.#admission,
      models: this.#models,
      connections: this.#connections,
      stats: this.#stats,
      budget: this.#budget,
      turns: new Turns(),
      authenticator: new Authenticator(credentials, clock),
      at: credentials,
      limits,
      clock,
      random,
      log,
      controlSocket: paths.controlSocket,
      observe: (observation) => this.#link?.observe(observation),
      isReady: () => this.#knowsRoutes && !this.#isStopping,
      isStopping: () => this.#isStopping,
    })
    this.#server.listener.on('connection', (socket) => {
      this.#connectionCount += 1
      socket.once('close', () => {
        this.#connectionCount -= 1
      })
    })
  }

  /** The port it listens on. */
  get port(): number {
    return this.#port
  }

  /** Resolves when control has been away for longer than `orphanGraceMs`. */
  get orphaned(): Promise<void> {
    return this.#orphaned.promise
  }

  /** Serves from the snapshot on disk, then connects to control. */
  async start(): Promise<void> {
    this.#loadSnapshot()
    this.#port = await this.#listen()
    this.#writeRecord()
    this.#link = this.#createLink()
    const { signal } = this.#running
    void this.#link.run(signal)
    void this.#link.runReports(signal)
    if (this.#options.limits.orphanGraceMs > 0) void this.#watchControl(this.#link, signal)
    this.#options.log.info({ port: this.#port, endpointCount: this.#routes.endpointCount }, 'ready')
  }

  /** Stops accepting, finishes what is outstanding within `drainTimeoutMs`, then drops the rest. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const drained = Promise.withResolvers<void>()
    this.#server.listener.close(() => drained.resolve())
    this.#server.closeIdleConnections()
    const idle = setInterval(() => this.#server.closeIdleConnections(), 50)
    const deadline = setTimeout(() => {
      this.#options.log.warn({ ...this.#admission.outstandingByInstance() }, 'drain timed out')
      this.#server.closeAllConnections()
    }, this.#options.limits.drainTimeoutMs)
    await drained.promise
    clearInterval(idle)
    clearTimeout(deadline)
    this.#link?.reportNow()
    this.#running.abort()
    this.#admission.close()
    await this.#connections.destroy()
    rmSync(this.#recordFile(), { force: true })
  }

  /** What it has outstanding and has done so far. */
  stats(): Omit<GatewayReport, 'routeVersion'> {
    return {
      outstandingByInstance: this.#admission.outstandingByInstance(),
      totals: {
        ...this.#stats.totals(),
        connectionCount: this.#connectionCount,
        waitingCount: this.#admission.waitingCount,
        bufferedBytes: this.#budget.heldBytes,
        residentBytes: findResidentBytes(process.pid) ?? process.memoryUsage.rss(),
      },
      variants: this.#stats.takeChanged(),
    }
  }

  // What was used of models goes before: whoever decides about them hears of both at once.
  #report(): Omit<GatewayReport, 'routeVersion'> {
    this.#directory.remind()
    const uses = this.#directory.takeUses()
    if (uses !== undefined) {
      this.#link?.ask({ kind: 'models-used', uses, counters: this.#models.counters() })
    }
    return this.stats()
  }

  #loadSnapshot(): void {
    try {
      const snapshot = parseRouteSnapshot(readFileSync(this.#options.paths.routeSnapshot, 'utf8'))
      if (snapshot === undefined) return
      this.#routes.applySnapshot(snapshot)
      this.#knowsRoutes = true
    } catch {
      // None yet: a first start. Control sends the table.
    }
  }

  async #listen(): Promise<number> {
    const { host, port, reusePort } = this.#options
    const listening = Promise.withResolvers<void>()
    this.#server.listener.once('error', listening.reject)
    this.#server.listener.listen({ host, port, reusePort, backlog: BACKLOG_MAX }, listening.resolve)
    await listening.promise
    this.#server.listener.removeListener('error', listening.reject)
    const address = this.#server.listener.address()
    return typeof address === 'object' && address !== null ? address.port : port
  }

  #createLink(): LinkClient {
    const { gatewayId, host, programVersion, paths, clock, log } = this.#options
    return new LinkClient({
      socketPath: paths.linkSocket,
      identity: { gatewayId, pid: process.pid, host, port: this.#port, programVersion },
      clock,
      log,
      apply: (message) => {
        this.#knowsRoutes = true
        return this.#routes.apply(message)
      },
      applyNews: (news) => this.#directory.apply(news),
      report: () => this.#report(),
      onConnect: () => this.#stats.markAllChanged(),
    })
  }

  #recordFile(): string {
    return join(this.#options.paths.gateways, `${this.#options.gatewayId}.json`)
  }

  #writeRecord(): void {
    const { gatewayId, host, programVersion } = this.#options
    const startToken = findProcess(process.pid)?.startToken ?? ''
    const identity = { gatewayId, pid: process.pid, host, port: this.#port, programVersion }
    const text = encodeGatewayRecord({ ...identity, startToken })
    try {
      writeFileAtomically(this.#recordFile(), text, 0o600)
    } catch (error) {
      // A full disk must not keep it from serving; whoever launched it has a record of its own.
      this.#options.log.warn({ err: error }, 'gateway record not written')
    }
  }

  async #watchControl(link: LinkClient, signal: AbortSignal): Promise<void> {
    const { clock, limits, log } = this.#options
    while (!signal.aborted) {
      await clock.sleep(ORPHAN_POLL_MS, signal).catch(() => undefined)
      const awayMs = link.awayMs()
      if (awayMs < limits.orphanGraceMs) continue
      log.warn({ awayMs }, 'control did not come back')
      this.#orphaned.resolve()
      return
    }
  }
}
