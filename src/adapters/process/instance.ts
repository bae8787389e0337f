import type { ChildProcess } from 'node:child_process'
import type { InstanceState, ObservedInstance } from '../../domain/fleet.ts'
import { parseFramesHeader } from '../../domain/frames-address.ts'
import { startingHealth } from '../../domain/health.ts'
import type { Health, PingPolicy } from '../../domain/health.ts'
import { findProcess, isRunning } from '../../platform/process-identity.ts'
import { Boot } from './boot.ts'
import type { BootListener } from './boot.ts'
import { StartError, describeExit } from './failure.ts'
import type { InstanceFailure, ProcessExit } from './failure.ts'
import type { ImageProgram } from './images.ts'
import type { InstanceWorld } from './instance-world.ts'
import { runProber } from './prober.ts'
import type { ProbeOptions } from './prober.ts'
import type { InstanceView, Phase } from './plan.ts'
import type { PoolMember } from './pool-member.ts'
import { findMarkedProcesses, isGroupEmpty, signalGroup, signalProcess } from './process-table.ts'
import type { InstanceRecord } from './records.ts'

const LAST_LINES = 5
/** After so long a process group that still seems alive can only be a stranger's with a reused number. */
const GROUP_END_MS_MAX = 5_000

/**
 * One instance: its process group, folder, pings and record on disk.
 *
 * The fleet's plan decides about it; it decides nothing itself. Steps that end something may be repeated.
 */
export class Instance {
  readonly #world: InstanceWorld
  readonly #boot: Boot
  /** Aborted when neither boot nor pings are wanted any more. */
  readonly #life = new AbortController()
  #record: InstanceRecord
  #child: ChildProcess | undefined
  #endedAtMs: number | undefined
  #isGroupEmpty = false
  /** Set by `close`: whatever the process does from now on is the next control's business. */
  #isAbandoned = false

  /** @param pooled a waiting process with this instance's id, if there is one. */
  constructor(record: InstanceRecord, world: InstanceWorld, pooled?: PoolMember) {
    this.#record = record
    this.#world = world
    this.#boot = new Boot(world, record, this.#bootListener(), pooled)
  }

  get record(): InstanceRecord {
    return this.#record
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

  /** Ends it before it has begun. */
  refuse(failure: InstanceFailure): void {
    this.#fail(failure)
  }

  /** Goes on with a process that an earlier control started. */
  resume(): void {
    const { phase, phaseSinceMs, spec } = this.#record
    const health = startingHealth(phaseSinceMs, spec.startupHealthTimeoutMs)
    if (phase === 'starting') this.#startPinging(health)
    if (phase === 'ready') this.#startPinging({ ...health, verdict: 'ready' })
  }

  view(): InstanceView {
    const { instanceId, ordinal, phase, phaseSinceMs, startedAtMs, readyAtMs } = this.#record
    const isDraining = phase === 'draining'
    return {
      instanceId,
      ordinal,
      phase,
      phaseSinceMs,
      startedAtMs,
      hasEnded: this.hasEnded,
      isGroupEmpty: this.#isGroupEmpty,
      // Never ready, it never was in a route.
      isDrained: isDraining && (readyAtMs === undefined || this.#world.isDrained(instanceId)),
    }
  }

  observe(): ObservedInstance {
    const { instanceId, phase, reason, process, socketPath, startedAtMs, readyAtMs } = this.#record
    const frames = parseFramesHeader(this.#record.framesHeader, socketPath)
    return {
      instanceId,
      reason,
      startedAtMs,
      readyAtMs,
      state: STATE_BY_PHASE[phase],
      address: phase === 'preparing' ? undefined : { kind: 'socket', path: socketPath },
      pid: process?.pid,
      ...(frames === undefined ? {} : { frames }),
    }
  }

  drain(reason: string): void {
    this.#life.abort()
    this.#enter('draining', reason)
    if (this.#record.process === undefined) this.#end({ isGroupEmpty: true })
  }

  terminate(): void {
    this.#enter('terminating', this.#record.reason)
    this.#signal('SIGTERM')
  }

  /** Kills the process group; once the leader is gone, whatever else the instance has started. */
  async kill(): Promise<void> {
    if (!this.hasEnded) {
      this.#life.abort()
      this.#enter('killing', this.#record.reason)
      this.#signal('SIGKILL')
      if (this.#record.process === undefined) this.#end({ isGroupEmpty: true })
      return
    }
    const { instanceId, process } = this.#record
    const marked = await findMarkedProcesses(this.#world.installationId)
    const rest = marked.filter((found) => found.instanceId === instanceId)
    for (const { pid } of rest) signalProcess(pid, 'SIGKILL')
    const endedMs = this.#world.clock.nowMs() - (this.#endedAtMs ?? 0)
    this.#isGroupEmpty =
      rest.length === 0 &&
      (process === undefined || isGroupEmpty(process.pid) || endedMs > GROUP_END_MS_MAX)
  }

  /** Notices that a process which is not our child has ended. */
  lookForExit(): void {
    const { process } = this.#record
    if (this.#child !== undefined || this.hasEnded || process === undefined) return
    if (!isRunning(process)) this.#onExit({ code: undefined, signal: undefined })
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
    const process = findProcess(child.pid) ?? { pid: child.pid, startToken: '' }
    this.#update({ process })
    this.#world.onStarted(this.#record)
    const { phaseSinceMs, spec } = this.#record
    this.#startPinging(startingHealth(phaseSinceMs, spec.startupHealthTimeoutMs))
  }

  #bootListener(): BootListener {
    return {
      onModelData: (prepared) => {
        this.#update({ contentHash: prepared.contentHash })
        this.#world.onModelData(this.#record, prepared)
      },
      onCode: ({ contentHash }) => this.#update({ codeHash: contentHash }),
      onOptimised: (outcome) => this.#world.onOptimised(this.#record, outcome),
      onLaunch: () => {
        this.#enter('starting', undefined)
        this.#world.records.saveInstance(this.#record)
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
    const { instanceId, spec, process, phase } = this.#record
    // At once, while the group's number cannot have been given to anybody else.
    if (process !== undefined) signalGroup(process.pid, 'SIGKILL')
    this.#end({ isGroupEmpty: false })
    if (phase !== 'starting' && phase !== 'ready') return this.#world.onChange(this.#record)
    const lastLines = this.#world.logs.lastLines(spec, instanceId, LAST_LINES)
    const permanent = exit.code !== undefined && permanentExitCodes.includes(exit.code)
    this.#fail({ cause: 'exited', reason: describeExit(exit, lastLines), permanent, exit })
  }

  #startPinging(health: Health): void {
    const { clock, limits, log } = this.#world
    const { instanceId, socketPath } = this.#record
    const options: ProbeOptions = {
      address: { kind: 'socket', path: socketPath },
      policy: this.#pingPolicy(),
      timeoutMs: limits.pingTimeoutMs,
      clock,
      onGoodPing: (framesHeader) => this.#learnFrames(framesHeader),
      onReady: () => this.#becomeReady(clock.nowMs()),
      onLost: (reason) => this.#fail({ cause: 'ping', reason, permanent: false, exit: undefined }),
    }
    void runProber(health, options, this.#life.signal).catch((error: unknown) => {
      if (!this.#life.signal.aborted) log.error({ instanceId, err: error }, 'pinging failed')
    })
  }

  #pingPolicy(): PingPolicy {
    const { limits, images } = this.#world
    const { goodPingCountMin } = images(this.#record.spec.containers[0]?.image ?? '') ?? {}
    if (goodPingCountMin === undefined) return limits.ping
    return { ...limits.ping, goodCountMin: goodPingCountMin }
  }

  #learnFrames(framesHeader: string | undefined): void {
    if (this.#record.framesHeader === framesHeader) return
    this.#update({ framesHeader })
    if (this.#record.phase === 'ready') this.#world.onChange(this.#record)
  }

  #becomeReady(nowMs: number): void {
    this.#update({ readyAtMs: nowMs, phase: 'ready', phaseSinceMs: nowMs })
    this.#world.onReady(this.#record)
  }

  // Without a process (never started, or gone with nothing left) there is nothing to drain or to kill.
  #fail(failure: InstanceFailure): void {
    const phaseBefore = this.#record.phase
    this.#life.abort()
    this.#enter('unhealthy', failure.reason)
    if (this.#record.process === undefined) this.#end({ isGroupEmpty: true })
    this.#world.onFailure(this.#record, failure, phaseBefore)
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

  #enter(phase: Phase, reason: string | undefined): void {
    const phaseSinceMs = this.#world.clock.nowMs()
    this.#update(reason === undefined ? { phase, phaseSinceMs } : { phase, phaseSinceMs, reason })
  }

  #update(change: Partial<InstanceRecord>): void {
    this.#record = { ...this.#record, ...change }
    if (this.#record.process !== undefined && !this.#isAbandoned) this.#saveIfPossible()
  }

  // A full disk must not keep a running instance from being routed to, stopped or replaced. What is lost is what a later
  // control would know of it; the process itself is found by its marker.
  #saveIfPossible(): void {
    try {
      this.#world.records.saveInstance(this.#record)
    } catch (error) {
      const { instanceId } = this.#record
      this.#world.log.warn({ instanceId, err: error }, 'instance record not saved')
    }
  }
}

const STATE_BY_PHASE: Readonly<Record<Phase, InstanceState>> = {
  preparing: 'preparing',
  starting: 'starting',
  ready: 'ready',
  unhealthy: 'unhealthy',
  draining: 'draining',
  terminating: 'draining',
  killing: 'draining',
}
