import { rmSync } from 'node:fs'
import { afterFailure } from '../../domain/back-off.ts'
import type { BackOff } from '../../domain/back-off.ts'
import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import { launchProcess } from './launch.ts'
import type { LogFiles } from './log-files.ts'
import { PoolMember } from './pool-member.ts'
import type { Records } from './records.ts'

// A new one takes 100 to 200 ms of a core, which the instance that took the last one needs more.
const REFILL_DELAY_MS = 300
// The answer comes within a millisecond or two; a process that has none by then is not worth waiting for.
const ANSWER_MS_MAX = 500
const BACK_OFF = { freeCount: 1, firstDelayMs: 1_000, delayMsMax: 60_000 }

/** How many processes wait, and which. */
export interface WarmPoolOptions {
  readonly count: number
  readonly command: string
  readonly arguments: readonly string[]
  /** How long one of them may take to answer before another process is started instead. @defaultValue 500 */
  readonly answerMsMax?: number
}

/** What a pool takes from the runtime. */
export interface WarmPoolWorld {
  readonly installationId: string
  readonly environment: Readonly<Record<string, string>>
  readonly openFilesMax: number
  readonly records: Pick<Records, 'prepareInstanceFolder' | 'removeInstance'>
  readonly logs: Pick<LogFiles, 'openPooled'>
  readonly newInstanceId: () => string
  readonly clock: Clock
  readonly log: Pick<Log, 'warn'>
}

/** A waiting process as `berth describe --platform` shows it. */
export interface ObservedPoolMember {
  readonly instanceId: string
  readonly state: 'starting' | 'ready'
  readonly pid: number | undefined
  readonly memoryBytes: number | undefined
  readonly startedAtMs: number
}

/**
 * Processes that have booted, with ONNX Runtime loaded and no model, and wait to become instances.
 *
 * Each waits at a channel from this process and ends when that is closed, so none outlives control; one that does for a
 * moment is an orphan to the next control, for its id has no record. What is taken is replaced in the background, what
 * dies with growing delays. Nothing depends on it: an instance that finds nobody ready is started afresh.
 */
export class WarmPool {
  readonly #options: WarmPoolOptions
  readonly #world: WarmPoolWorld
  readonly #members = new Set<PoolMember>()
  readonly #closing = new AbortController()
  #backOff: BackOff | undefined
  #isFilling = false

  constructor(options: WarmPoolOptions, world: WarmPoolWorld) {
    this.#options = options
    this.#world = world
  }

  /** Fills it, now and whenever one is missing. */
  start(): void {
    this.#fill(0)
  }

  /** Takes out one that is ready. Whoever takes it assigns or discards it. */
  take(): PoolMember | undefined {
    for (const member of this.#members) {
      if (!member.isReady) continue
      this.#members.delete(member)
      this.#fill(REFILL_DELAY_MS)
      return member
    }
    return undefined
  }

  observe(): readonly ObservedPoolMember[] {
    return [...this.#members].map(({ instanceId, isReady, pid, memoryBytes, startedAtMs }) => {
      return { instanceId, state: isReady ? 'ready' : 'starting', pid, memoryBytes, startedAtMs }
    })
  }

  /** Ends all that wait. */
  close(): void {
    this.#closing.abort()
    for (const member of this.#members) member.discard()
    this.#members.clear()
  }

  #fill(delayMs: number): void {
    const { signal } = this.#closing
    if (this.#isFilling || signal.aborted) return
    this.#isFilling = true
    this.#world.clock.sleep(delayMs, signal).then(
      () => {
        this.#isFilling = false
        this.#startMissing()
      },
      () => undefined,
    )
  }

  // A full disk or table of processes must not end control: an instance that finds nobody ready is started afresh.
  #startMissing(): void {
    try {
      while (this.#members.size < this.#options.count) this.#startMember()
    } catch (error) {
      this.#world.log.warn({ err: error }, 'warm process not started')
      this.#fillLater()
    }
  }

  #fillLater(): void {
    const nowMs = this.#world.clock.nowMs()
    this.#backOff = afterFailure(this.#backOff, nowMs, BACK_OFF)
    this.#fill(Math.max(REFILL_DELAY_MS, this.#backOff.notBeforeMs - nowMs))
  }

  #startMember(): void {
    const { world, options } = { world: this.#world, options: this.#options }
    const instanceId = world.newInstanceId()
    const folder = world.records.prepareInstanceFolder(instanceId)
    const { fd, path } = world.logs.openPooled(instanceId)
    const child = launchProcess({
      command: options.command,
      arguments: options.arguments,
      folder,
      logFd: fd,
      environment: world.environment,
      installationId: world.installationId,
      instanceId,
      openFilesMax: world.openFilesMax,
      hasChannel: true,
    })
    const member = new PoolMember({
      instanceId,
      logPath: path,
      startedAtMs: world.clock.nowMs(),
      child,
      answerMsMax: options.answerMsMax ?? ANSWER_MS_MAX,
    })
    this.#members.add(member)
    member.watch(
      () => (this.#backOff = undefined),
      (reason) => this.#lose(member, reason),
    )
  }

  #lose(member: PoolMember, reason: string): void {
    const { records, log } = this.#world
    const wasWaiting = this.#members.delete(member)
    rmSync(member.logPath, { force: true })
    if (!wasWaiting) return
    records.removeInstance(member.instanceId)
    log.warn({ pid: member.pid, reason }, 'warm process ended')
    this.#fillLater()
  }
}
