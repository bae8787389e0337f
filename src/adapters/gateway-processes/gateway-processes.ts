import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'

import { environment } from '../../platform/config.ts'
import type { DataPaths } from '../../platform/data-paths.ts'
import type { Log } from '../../platform/log.ts'
import { findProcess, isRunning } from '../../platform/process-identity.ts'
import { readLaunches, removeLaunch, writeLaunch } from './launch-record.ts'
import type { Launch } from './launch-record.ts'
import { findFreePort } from './port.ts'
import { signalProcess, waitUntilGone } from './signals.ts'

// A gateway that dies sooner than this after its start is restarted with a delay, so that one that cannot start
// (broken disk, port taken in the meantime) does not spin.
const SHORT_LIFE_MS = 2_000
const RESTART_DELAY_MS = 250
const RESTART_DELAY_MS_MAX = 5_000
// Adopted gateways are not our children: their death has to be looked for, within the second promised to clients.
const ADOPTED_POLL_MS = 200

/** A gateway that has said hello over the link. */
export interface ConnectedGateway {
  readonly pid: number
}

/** What the supervisor needs: how to start a gateway, and who has said hello. */
export interface GatewayProcessesOptions {
  readonly paths: DataPaths
  readonly count: number
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** Arguments for Node; id, host and port are appended. */
  readonly nodeArguments: readonly string[]
  readonly connected: () => readonly ConnectedGateway[]
  /** Calls the listener after {@link connected} changed; returns its removal. */
  readonly onConnected: (listener: () => void) => () => void
  readonly log: Log
}

/**
 * Keeps the gateway processes running.
 *
 * They lead process groups of their own and survive this process. The next one adopts those that were started with the
 * same arguments and replaces the others: new ones first, on the shared port, then the old are told to drain.
 */
export class GatewayProcesses {
  readonly #options: GatewayProcessesOptions
  readonly #command: string
  readonly #launches = new Map<string, Launch>()
  readonly #adoptedIds = new Set<string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #port = 0
  #quickDeathCount = 0
  #isStopped = false

  constructor(options: GatewayProcessesOptions) {
    this.#options = options
    this.#command = JSON.stringify([options.nodeArguments, options.host])
  }

  /**
   * Adopts or starts the gateways and resolves with their port; they may not be listening yet, see {@link ready}.
   *
   * @throws Error in words when the port cannot be listened on.
   */
  async start(): Promise<number> {
    const { paths, host, port, count } = this.#options
    mkdirSync(paths.gateways, { recursive: true, mode: 0o700 })
    const alive = this.#findAlive()
    const kept = alive.filter((launch) => this.#isFitting(launch)).slice(0, count)
    const replaced = alive.filter((launch) => !kept.includes(launch))
    const samePort = alive.find((launch) => launch.port === port)
    this.#port = kept[0]?.port ?? samePort?.port ?? (await findFreePort(host, port))
    for (const launch of kept) this.#adopt(launch)
    while (this.#launches.size < count) this.#launch()
    if (replaced.length > 0) this.#replaceWhenReady(replaced)
    return this.#port
  }

  /**
   * Resolves once every gateway has said hello: the port is open.
   *
   * @throws the signal's reason when it aborts first.
   */
  async ready(signal: AbortSignal): Promise<void> {
    while (!this.#areAllConnected()) await this.#nextConnection(signal)
  }

  /** The gateways that should be running. */
  list(): readonly Launch[] {
    return [...this.#launches.values()]
  }

  /** Tells every gateway to drain and waits until they are gone; kills what is left when the signal aborts. */
  async stop(signal: AbortSignal): Promise<void> {
    this.abandon()
    await this.#end(this.list(), signal)
  }

  /** Like {@link stop}, but adopted gateways go on: they have clients. */
  async takeBack(signal: AbortSignal): Promise<void> {
    this.abandon()
    await this.#end(
      this.list().filter(({ gatewayId }) => !this.#adoptedIds.has(gatewayId)),
      signal,
    )
  }

  async #end(launches: readonly Launch[], signal: AbortSignal): Promise<void> {
    for (const launch of launches) signalProcess(launch, 'SIGTERM')
    await Promise.all(launches.map((launch) => waitUntilGone(launch, signal)))
    for (const { gatewayId } of launches) removeLaunch(this.#options.paths.gateways, gatewayId)
  }

  /** Stops watching; the gateways go on. */
  abandon(): void {
    this.#isStopped = true
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #findAlive(): Launch[] {
    const launches = readLaunches(this.#options.paths.gateways)
    for (const launch of launches) {
      if (!isRunning(launch)) removeLaunch(this.#options.paths.gateways, launch.gatewayId)
    }
    return launches.filter(isRunning)
  }

  #isFitting(launch: Launch): boolean {
    const wanted = this.#options.port
    return launch.command === this.#command && (wanted === 0 || launch.port === wanted)
  }

  #launch(): void {
    const { paths, host, nodeArguments, log } = this.#options
    const gatewayId = randomBytes(4).toString('hex')
    const logFd = openSync(join(paths.logs, 'gateway.log'), 'a', 0o600)
    const own = ['--gateway-id', gatewayId, '--host', host, '--port', String(this.#port)]
    const child = spawn(process.execPath, [...nodeArguments, ...own], {
      detached: true,
      stdio: ['ignore', logFd, logFd],
      cwd: paths.dataDir,
      // Clients wait for the replacement of a dead gateway: it starts in half the time from compiled code.
      env: { NODE_COMPILE_CACHE: join(paths.codeCache, 'gateway'), ...environment() },
    })
    closeSync(logFd)
    child.once('error', (error) =>
      log.error({ gatewayId, error: error.message }, 'gateway not started'),
    )
    const identity = child.pid === undefined ? undefined : findProcess(child.pid)
    if (identity === undefined) {
      this.#quickDeathCount += 1
      return this.#launchLater()
    }
    const launch: Launch = {
      ...identity,
      gatewayId,
      command: this.#command,
      port: this.#port,
      startedAtMs: Date.now(),
    }
    this.#launches.set(gatewayId, launch)
    this.#record(launch)
    log.info({ gatewayId, pid: launch.pid, port: launch.port }, 'gateway started')
    child.once('exit', (code, signal) => this.#ended(launch, { code, signal }))
  }

  // On a full disk it serves all the same; a later control would start another beside it.
  #record(launch: Launch): void {
    try {
      writeLaunch(this.#options.paths.gateways, launch)
    } catch (error) {
      const { gatewayId } = launch
      this.#options.log.error({ gatewayId, err: error }, 'gateway launch not recorded')
    }
  }

  #adopt(launch: Launch): void {
    this.#adoptedIds.add(launch.gatewayId)
    this.#launches.set(launch.gatewayId, launch)
    this.#options.log.info({ gatewayId: launch.gatewayId, pid: launch.pid }, 'gateway adopted')
    const timer = setInterval(() => {
      if (isRunning(launch)) return
      clearInterval(timer)
      this.#timers.delete(timer)
      this.#ended(launch, { code: null, signal: null })
    }, ADOPTED_POLL_MS)
    this.#timers.add(timer)
  }

  #ended(launch: Launch, exit: { code: number | null; signal: string | null }): void {
    if (this.#isStopped) return
    const { paths, log } = this.#options
    removeLaunch(paths.gateways, launch.gatewayId)
    this.#launches.delete(launch.gatewayId)
    const livedMs = Date.now() - launch.startedAtMs
    log.warn({ gatewayId: launch.gatewayId, pid: launch.pid, ...exit, livedMs }, 'gateway ended')
    this.#quickDeathCount = livedMs < SHORT_LIFE_MS ? this.#quickDeathCount + 1 : 0
    if (this.#quickDeathCount === 0) this.#launch()
    else this.#launchLater()
  }

  #launchLater(): void {
    const delayMs = Math.min(
      RESTART_DELAY_MS * 2 ** (this.#quickDeathCount - 1),
      RESTART_DELAY_MS_MAX,
    )
    this.#options.log.error({ delayMs }, 'gateway start delayed')
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#launch()
    }, delayMs)
    this.#timers.add(timer)
  }

  #replaceWhenReady(replaced: readonly Launch[]): void {
    this.ready(AbortSignal.timeout(RESTART_DELAY_MS_MAX))
      .catch(() => this.#options.log.warn({}, 'old gateways stopped before new ones were ready'))
      .finally(() => {
        for (const launch of replaced) {
          this.#options.log.info(
            { gatewayId: launch.gatewayId, pid: launch.pid },
            'gateway replaced',
          )
          signalProcess(launch, 'SIGTERM')
          removeLaunch(this.#options.paths.gateways, launch.gatewayId)
        }
      })
  }

  #areAllConnected(): boolean {
    const pids = new Set(this.#options.connected().map(({ pid }) => pid))
    const launches = this.list()
    return launches.length === this.#options.count && launches.every(({ pid }) => pids.has(pid))
  }

  #nextConnection(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const abort = (): void => settle(() => reject(signal.reason))
      const remove = this.#options.onConnected(() => settle(resolve))
      const settle = (then: () => void): void => {
        remove()
        signal.removeEventListener('abort', abort)
        then()
      }
      signal.addEventListener('abort', abort, { once: true })
    })
  }
}
