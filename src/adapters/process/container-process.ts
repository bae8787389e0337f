import type { ChildProcess } from 'node:child_process'
import { startingHealth } from '../../domain/health.ts'
import type { Health, PingPolicy } from '../../domain/health.ts'
import { findProcess, isRunning } from '../../platform/process-identity.ts'
import { Boot } from './boot.ts'
import { StartError, describeExit } from './failure.ts'
import type { InstanceFailure, ProcessExit } from './failure.ts'
import type { ImageProgram } from './images.ts'
import type { InstanceWorld } from './instance-world.ts'
import type { PoolMember } from './pool-member.ts'
import { runProber } from './prober.ts'
import type { ProbeOptions } from './prober.ts'
import { findMarkedProcesses, isGroupEmpty, signalGroup } from './process-table.ts'
import type { ContainerRecord } from './records.ts'
import { Remnants } from './remnants.ts'
import type { Seat } from './seat.ts'
import type { OptimiseOutcome, PreparedModelData } from './settings.ts'

const LAST_LINES = 5
/** After so long a process group that still seems alive can only be a stranger's with a reused number. */
const GROUP_END_MS_MAX = 5_000

/** What an instance hears of one of its containers. */
export interface ContainerListener {
  readonly onModelData: (prepared: PreparedModelData) => void
  readonly onOptimised: (outcome: OptimiseOutcome) => void
  /** A process begins next. When this returns, the intent is on disk. */
  readonly onLaunch: () => void
  readonly onStarted: () => void
  readonly onReady: () => void
  /** It cannot serve, and nobody had told it to stop. */
  readonly onFailure: (failure: InstanceFailure) => void
  /** It ended after it was told to. */
  readonly onEnd: () => void
  /** Its record is another one. */
  readonly onRecord: () => void
  /** It speaks frames elsewhere, or no more. */
  readonly onFrames: () => void
}

/**
 * The process of one container, from its model data to its end: `preparing` → `starting` → `ready` → ended.
 *
 * It decides nothing; a container that is started anew is another one of these. Steps that end something may be repeated.
 */
export class ContainerProcess {
  readonly seat: Seat
  readonly #world: InstanceWorld
  readonly #listener: ContainerListener
  readonly #boot: Boot
  /** Aborted when neither boot nor pings are wanted any more. */
  readonly #life = new AbortController()
  readonly #remnants = new Remnants()
  #record: ContainerRecord
  #child: ChildProcess | undefined
  #readyAtMs: number | undefined
  #endedAtMs: number | undefined
  #isGroupEmpty = false
  /** Set by `abandon`: whatever the process does from now on is the next control's business. */
  #isAbandoned = false

  /** @param pooled a waiting process with the instance's id, if there is one. */
  constructor(
    seat: Seat,
    record: ContainerRecord,
    { world, listener, pooled }: ContainerSurroundings,
  ) {
    this.seat = seat
    this.#record = record
    this.#world = world
    this.#listener = listener
    this.#boot = new Boot(world, seat, this.#bootListener(), pooled)
  }

  get record(): ContainerRecord {
    return this.#record
  }

  get isReady(): boolean {
    return this.#readyAtMs !== undefined && !this.#life.signal.aborted
  }

  /** When it became ready; also known after its end. */
  get readyAtMs(): number | undefined {
    return this.#readyAtMs
  }

  get isLaunched(): boolean {
    return this.#record.launchedAtMs !== undefined
  }

  get hasEnded(): boolean {
    return this.#endedAtMs !== undefined
  }

  /** Prepares the model data, starts the process and pings it; returns at once. */
  start(): void {
    void this.#launch().catch((error: unknown) => {
      if (this.#life.signal.aborted) return
      if (error instanceof StartError) this.#fail(error.failure)
      else {
        const reason = `could not be started: ${error instanceof Error ? error.message : String(error)}`
        this.#fail({ cause: 'exited', reason, permanent: false, exit: undefined })
      }
    })
  }

  /** Goes on with a process that an earlier control started. */
  resume(isReady: boolean): void {
    const nowMs = this.#world.clock.nowMs()
    const { launchedAtMs = nowMs } = this.#record
    const health = startingHealth(launchedAtMs, this.seat.spec.startupHealthTimeoutMs)
    if (isReady) this.#readyAtMs = nowMs
    this.#startPinging(isReady ? { ...health, verdict: 'ready' } : health)
  }

  /** Ends boot and pings. The process runs on; without one, this is the end. */
  release(): void {
    this.#life.abort()
    if (this.#record.process === undefined) this.#end({ isGroupEmpty: true })
  }

  /** SIGTERM to all that it started and that stayed in its process group. */
  terminate(): void {
    this.#signal('SIGTERM')
  }

  kill(): void {
    this.release()
    this.#signal('SIGKILL')
  }

  /** Notices that a process which is not our child has ended. */
  lookForExit(): void {
    const { process } = this.#record
    if (this.#child !== undefined || this.hasEnded || process === undefined) return
    if (!isRunning(process)) this.#onExit({ code: undefined, signal: undefined })
  }

  /** Whether it has ended with all of its process group. */
  isGone(): boolean {
    if (!this.hasEnded) return false
    const { process } = this.#record
    const endedMs = this.#world.clock.nowMs() - (this.#endedAtMs ?? 0)
    this.#isGroupEmpty ||=
      process === undefined || isGroupEmpty(process.pid) || endedMs > GROUP_END_MS_MAX
    return this.#isGroupEmpty
  }

  /** Kills what has left the group and still carries the marks of this place. @returns whether nothing of it is left. */
  async killRest(): Promise<boolean> {
    const { instanceId, hostname } = this.seat
    const marked = await findMarkedProcesses(this.#world.installationId)
    const rest = marked.filter(
      (found) => found.instanceId === instanceId && found.hostname === hostname,
    )
    return this.#remnants.kill(rest)
  }

  /** Stops watching; the process lives on. */
  abandon(): void {
    this.#isAbandoned = true
    this.#life.abort()
    this.#boot.discardPooled()
  }

  async #launch(): Promise<void> {
    const { child, program } = await this.#boot.run(this.#life.signal)
    this.#watchChild(child, program)
    if (child.pid === undefined) return
    this.#update({ process: findProcess(child.pid) ?? { pid: child.pid, startToken: '' } })
    this.#listener.onStarted()
    const { launchedAtMs = 0 } = this.#record
    this.#startPinging(startingHealth(launchedAtMs, this.seat.spec.startupHealthTimeoutMs))
  }

  #bootListener(): ConstructorParameters<typeof Boot>[2] {
    return {
      onModelData: (prepared) => {
        this.#update({ contentHash: prepared.contentHash })
        this.#listener.onModelData(prepared)
      },
      onCode: ({ contentHash }) => this.#update({ codeHash: contentHash }),
      onOptimised: (outcome) => this.#listener.onOptimised(outcome),
      onLaunch: () => {
        this.#record = { ...this.#record, launchedAtMs: this.#world.clock.nowMs() }
        this.#listener.onLaunch()
      },
    }
  }

  #watchChild(child: ChildProcess, program: ImageProgram): void {
    this.#child = child
    child.once('error', (error) => {
      if (child.pid !== undefined || this.#isAbandoned) return
      const reason = `could not be started: ${error.message}`
      this.#fail({ cause: 'exited', reason, permanent: false, exit: undefined })
    })
    child.once('exit', (code, signal) => {
      const exit = { code: code ?? undefined, signal: signal ?? undefined }
      this.#onExit(exit, program.permanentExitCodes)
    })
  }

  #onExit(exit: ProcessExit, permanentExitCodes: readonly number[] = []): void {
    if (this.#isAbandoned || this.hasEnded) return
    const { process } = this.#record
    // At once, while the group's number cannot have been given to anybody else.
    if (process !== undefined) signalGroup(process.pid, 'SIGKILL')
    const wasWanted = !this.#life.signal.aborted
    this.#end({ isGroupEmpty: false })
    if (!wasWanted) return this.#listener.onEnd()
    const lastLines = this.#world.logs.lastLines(this.seat, LAST_LINES)
    const permanent = exit.code !== undefined && permanentExitCodes.includes(exit.code)
    const reason = describeExit(exit, lastLines)
    this.#listener.onFailure({ cause: 'exited', reason, permanent, exit })
  }

  #startPinging(health: Health): void {
    const { clock, limits, log } = this.#world
    const { instanceId, socketPath } = this.seat
    const options: ProbeOptions = {
      address: { kind: 'socket', path: socketPath },
      policy: this.#pingPolicy(),
      timeoutMs: limits.pingTimeoutMs,
      clock,
      onGoodPing: (framesHeader) => this.#learnFrames(framesHeader),
      onReady: () => {
        this.#readyAtMs = clock.nowMs()
        this.#listener.onReady()
      },
      onLost: (reason) => this.#fail({ cause: 'ping', reason, permanent: false, exit: undefined }),
    }
    void runProber(health, options, this.#life.signal).catch((error: unknown) => {
      if (!this.#life.signal.aborted) log.error({ instanceId, err: error }, 'pinging failed')
    })
  }

  #pingPolicy(): PingPolicy {
    const { limits, images } = this.#world
    const { goodPingCountMin } = images(this.seat.container.image) ?? {}
    if (goodPingCountMin === undefined) return limits.ping
    return { ...limits.ping, goodCountMin: goodPingCountMin }
  }

  #learnFrames(framesHeader: string | undefined): void {
    if (this.#record.framesHeader === framesHeader) return
    this.#update({ framesHeader })
    this.#listener.onFrames()
  }

  // Without a process (never started, or gone with nothing left) there is nothing to drain or to kill.
  #fail(failure: InstanceFailure): void {
    this.release()
    this.#listener.onFailure(failure)
  }

  #end({ isGroupEmpty: isEmpty }: { readonly isGroupEmpty: boolean }): void {
    this.#life.abort()
    this.#boot.discardPooled()
    this.#endedAtMs ??= this.#world.clock.nowMs()
    this.#isGroupEmpty = isEmpty
  }

  #signal(signal: NodeJS.Signals): void {
    const { process } = this.#record
    if (process === undefined || this.hasEnded) return
    // A child keeps its number until we have seen it end; an adopted one may have ended since the last look.
    if (this.#child === undefined && !isRunning(process)) return this.lookForExit()
    signalGroup(process.pid, signal)
  }

  #update(change: Partial<ContainerRecord>): void {
    this.#record = { ...this.#record, ...change }
    if (this.#record.process !== undefined && !this.#isAbandoned) this.#listener.onRecord()
  }
}

/** What a container's process takes beside its place. */
export interface ContainerSurroundings {
  readonly world: InstanceWorld
  readonly listener: ContainerListener
  /** A waiting process with the instance's id, if there is one. */
  readonly pooled?: PoolMember | undefined
}
