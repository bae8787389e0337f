import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { InstanceState, ObservedInstance } from '../../domain/fleet.ts'
import { parseFramesHeader } from '../../domain/frames-address.ts'
import { startingHealth } from '../../domain/health.ts'
import type { Health } from '../../domain/health.ts'
import type { ModelDataSource } from '../../domain/model.ts'
import { shapeOf, workerCountOf } from '../../domain/instance-type.ts'
import { findProcess, isRunning } from '../../platform/process-identity.ts'
import { StartError, describeExit, modelDataFailure } from './failure.ts'
import type { InstanceFailure, ProcessExit } from './failure.ts'
import type { ImageProgram, Launch } from './images.ts'
import { launchProcess } from './launch.ts'
import type { InstanceWorld } from './instance-world.ts'
import { runProber } from './prober.ts'
import type { ProbeOptions } from './prober.ts'
import type { InstanceView, Phase } from './plan.ts'
import type { PoolMember } from './pool-member.ts'
import { findMarkedProcesses, isGroupEmpty, signalGroup, signalProcess } from './process-table.ts'
import type { InstanceRecord } from './records.ts'
import type { PreparedModelData } from './settings.ts'

const LAST_LINES = 5
/** Where user code is, if not in the model data. Source: SageMaker Python SDK, `Model._script_mode_env_vars`. */
const CODE_VARIABLE = 'SAGEMAKER_SUBMIT_DIRECTORY'
/** After so long a process group that still seems alive can only be a stranger's with a reused number. */
const GROUP_END_MS_MAX = 5_000

/** Where a launched program finds its model. */
interface LaunchFolders {
  readonly modelDirectory: string | undefined
  readonly optimisedDirectory: string | undefined
  /** User code that is not part of the model data. */
  readonly codeDirectory: string | undefined
}

/**
 * One instance: its process group, folder, pings and record on disk.
 *
 * The fleet's plan decides about it; it decides nothing itself. Steps that end something may be repeated.
 */
export class Instance {
  readonly #world: InstanceWorld
  /** Aborted when neither boot nor pings are wanted any more. */
  readonly #life = new AbortController()
  #record: InstanceRecord
  #child: ChildProcess | undefined
  /** Kept for this instance until it becomes it. */
  #pooled: PoolMember | undefined
  #endedAtMs: number | undefined
  #isGroupEmpty = false
  /** Set by `close`: whatever the process does from now on is the next control's business. */
  #isAbandoned = false

  /** @param pooled a waiting process with this instance's id, if there is one. */
  constructor(record: InstanceRecord, world: InstanceWorld, pooled?: PoolMember) {
    this.#record = record
    this.#world = world
    this.#pooled = pooled
  }

  get record(): InstanceRecord {
    return this.#record
  }

  get hasEnded(): boolean {
    return this.#endedAtMs !== undefined
  }

  /** Prepares the model data, starts the process and pings it; returns at once. */
  start(): void {
    void this.#boot().catch((error: unknown) => {
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
    this.#pooled?.discard()
  }

  async #boot(): Promise<void> {
    const program = this.#findProgram()
    const { preparing } = this.#world
    const { signal } = this.#life
    const modelData = await preparing.run(() => this.#prepareModelData(), signal)
    const code = await preparing.run(() => this.#prepareCode(program), signal)
    const optimisedDirectory = await this.#optimise(program, modelData)
    signal.throwIfAborted()
    const folders = { modelDirectory: modelData?.directory, codeDirectory: code?.directory }
    await this.#launch(program, { ...folders, optimisedDirectory })
  }

  #findProgram(): ImageProgram {
    const { containers } = this.#record.spec
    const [container] = containers
    if (container === undefined || containers.length !== 1) {
      const reason = `The process runtime runs one container per instance, not ${containers.length}.`
      throw new StartError({ cause: 'image', reason, permanent: true })
    }
    const program = this.#world.images(container.image)
    if (program !== undefined) return program
    const reason = `The process runtime has no program for image ${container.image}.`
    throw new StartError({ cause: 'image', reason, permanent: true })
  }

  /** @returns `undefined` when the model has no data. */
  async #prepareModelData(): Promise<PreparedModelData | undefined> {
    const modelData = this.#record.spec.containers[0]?.modelData
    if (modelData === undefined) return undefined
    const prepared = await this.#prepare(modelData)
    this.#update({ contentHash: prepared.contentHash })
    this.#world.onModelData(this.#record, prepared)
    return prepared
  }

  /** @returns `undefined` when user code, if any, is part of the model data. */
  async #prepareCode(program: ImageProgram): Promise<PreparedModelData | undefined> {
    const url = this.#record.spec.containers[0]?.environment[CODE_VARIABLE]
    if (program.takesCode !== true || url?.startsWith('s3://') !== true) return undefined
    const prepared = await this.#prepare({ kind: 'archive', url })
    this.#update({ codeHash: prepared.contentHash })
    return prepared
  }

  async #prepare(source: ModelDataSource): Promise<PreparedModelData> {
    const { containers, modelDataDownloadTimeoutMs } = this.#record.spec
    const timeout = AbortSignal.timeout(modelDataDownloadTimeoutMs)
    const signal = AbortSignal.any([timeout, this.#life.signal])
    try {
      return await this.#world.prepareModelData(source, containers[0]?.hostname ?? '', signal)
    } catch (error) {
      throw modelDataFailure(timeout.aborted ? timeout.reason : error, modelDataDownloadTimeoutMs)
    }
  }

  /** @returns the folder of the optimised model, or `undefined` when the original serves. */
  async #optimise(
    program: ImageProgram,
    modelData: PreparedModelData | undefined,
  ): Promise<string | undefined> {
    const { optimiseModel } = this.#world
    if (program.isServedOptimised !== true || modelData === undefined) return undefined
    const outcome = await optimiseModel?.(modelData, this.#life.signal)
    if (outcome === undefined) return undefined
    this.#world.onOptimised(this.#record, outcome)
    return outcome.kind === 'optimised' ? outcome.directory : undefined
  }

  async #launch(program: ImageProgram, folders: LaunchFolders): Promise<void> {
    const { instanceId, spec, socketPath } = this.#record
    const { modelDirectory, optimisedDirectory, codeDirectory } = folders
    const [container] = spec.containers
    const folder = this.#world.records.instanceFolder(instanceId)
    const emptyFolder = join(folder, 'model')
    mkdirSync(emptyFolder, { recursive: true, mode: 0o700 })
    // The intent is on disk before the process exists: one that is found later always has a record.
    this.#enter('starting', undefined)
    this.#world.records.saveInstance(this.#record)
    const launch: Launch = {
      image: container?.image ?? '',
      modelDirectory: modelDirectory ?? emptyFolder,
      optimisedDirectory,
      codeDirectory,
      socketPath,
      workerCount: this.#workerCount(),
    }
    const child = (await this.#assignPooled(program, launch)) ?? this.#spawn(program, launch)
    this.#watchChild(child, program)
    if (child.pid === undefined) return
    const process = findProcess(child.pid) ?? { pid: child.pid, startToken: '' }
    this.#update({ process })
    this.#world.onStarted(this.#record)
    this.#startPinging(startingHealth(this.#record.phaseSinceMs, spec.startupHealthTimeoutMs))
  }

  #spawn(program: ImageProgram, launch: Launch): ChildProcess {
    const { instanceId, spec } = this.#record
    return launchProcess({
      command: program.command,
      arguments: program.argumentsOf(launch),
      folder: this.#world.records.instanceFolder(instanceId),
      logFd: this.#world.logs.open(spec, instanceId),
      environment: {
        ...this.#world.environment,
        ...program.environment,
        ...spec.containers[0]?.environment,
        ...(launch.codeDirectory !== undefined && { [CODE_VARIABLE]: launch.codeDirectory }),
      },
      installationId: this.#world.installationId,
      instanceId,
      openFilesMax: this.#world.limits.openFilesMax,
    })
  }

  /** @returns undefined when a process must be started afresh: whatever is in doubt, that works. */
  async #assignPooled(program: ImageProgram, launch: Launch): Promise<ChildProcess | undefined> {
    const pooled = this.#pooled
    this.#pooled = undefined
    if (pooled === undefined) return undefined
    const environment = this.#record.spec.containers[0]?.environment ?? {}
    const canBecome = program.pooled?.accepts(environment) === true
    if (!canBecome || !this.#adoptLog(pooled)) {
      pooled.discard()
      return undefined
    }
    const child = await pooled.assign({
      arguments: program.pooled?.argumentsOf(launch) ?? [],
      environment,
    })
    // Ended meanwhile: nobody knows of the process, so nobody else would stop it.
    if (this.#life.signal.aborted) child?.kill('SIGKILL')
    this.#life.signal.throwIfAborted()
    return child
  }

  #adoptLog({ logPath }: PoolMember): boolean {
    const { spec, instanceId } = this.#record
    try {
      this.#world.logs.adoptPooled(logPath, spec, instanceId)
      return true
    } catch {
      return false
    }
  }

  #workerCount(): number {
    const shape = shapeOf(this.#record.spec.instanceType, this.#world.instanceShapes)
    return workerCountOf(shape, this.#world.machine.vCpuCount)
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
      policy: limits.ping,
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
    this.#pooled?.discard()
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
