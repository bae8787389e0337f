import { createHash } from 'node:crypto'
import type { FleetSpec, ObservedFleet } from '../../domain/fleet.ts'
import { WorkQueue } from '../../platform/work-queue.ts'
import type { FleetRuntime, LogLine, LogRequest } from '../../ports/fleet-runtime.ts'
import { findInheritance } from './adopt.ts'
import { describeShortage } from './capacity.ts'
import type { InstanceEventKind } from './events.ts'
import type { InstanceFailure } from './failure.ts'
import { Fleet } from './fleet.ts'
import { Instance } from './instance.ts'
import { createInstanceId } from './instance-id.ts'
import type { InstanceWorld } from './instance-world.ts'
import { Journal } from './journal.ts'
import { LogFiles } from './log-files.ts'
import { killOrphans } from './orphans.ts'
import { planFleet } from './plan.ts'
import type { Action, Phase } from './plan.ts'
import type { PoolMember } from './pool-member.ts'
import { findMarkedProcesses } from './process-table.ts'
import { readLogs } from './read-logs.ts'
import { Records } from './records.ts'
import type { InstanceRecord } from './records.ts'
import { PROCESS_LIMITS, thisMachine } from './settings.ts'
import type { ProcessLimits, ProcessRuntimeOptions } from './settings.ts'
import { hasBeenSteady } from './steadiness.ts'
import { Turnstile } from './turnstile.ts'
import { runUpkeep } from './upkeep.ts'
import { WarmPool } from './warm-pool.ts'
import type { ObservedPoolMember, WarmPoolWorld } from './warm-pool.ts'

const RESYNC_INTERVAL_MS = 30_000
/** A killed process that is still there then hangs in the kernel; waiting longer would not end it. */
const KILL_MS_MAX = 5_000

/** Runs fleets as child processes of this machine. */
export function createProcessRuntime(options: ProcessRuntimeOptions): ProcessRuntime {
  return new ProcessRuntime(options)
}

/**
 * Fleets as process groups on this machine.
 *
 * Everything it must remember is on disk before it matters, so another runtime over the same paths, after this one
 * was closed or killed, goes on with the same processes.
 */
export class ProcessRuntime implements FleetRuntime {
  readonly #options: ProcessRuntimeOptions
  readonly #limits: ProcessLimits
  readonly #records: Records
  readonly #logs: LogFiles
  readonly #world: InstanceWorld
  readonly #queue: WorkQueue
  readonly #journal: Journal
  readonly #fleetsById = new Map<string, Fleet>()
  readonly #listeners = new Set<(endpointName: string) => void>()
  readonly #closing = new AbortController()
  readonly #warmPool: WarmPool | undefined
  #upkeep: Promise<void> | undefined
  #isStopping = false

  constructor(options: ProcessRuntimeOptions) {
    const { paths, clock, log } = options
    this.#options = options
    this.#limits = { ...PROCESS_LIMITS, ...options.limits }
    this.#records = new Records(paths)
    this.#logs = new LogFiles(paths.logs, this.#limits)
    this.#journal = new Journal(clock, options.recordEvent)
    this.#world = this.#createWorld(options)
    const { warmPool } = options
    if (warmPool !== undefined) this.#warmPool = new WarmPool(warmPool, this.#poolWorld())
    this.#queue = new WorkQueue({
      name: 'fleet',
      reconcile: (fleetId) => this.#reconcile(fleetId),
      listKeys: () => Promise.resolve([...this.#fleetsById.keys()]),
      resyncIntervalMs: RESYNC_INTERVAL_MS,
      clock,
      log,
    })
  }

  /** Adopts what an earlier control left running, kills what nobody knows, and begins to keep the wishes. */
  async start(): Promise<void> {
    this.#records.prepareFolders()
    for (const { spec, desiredCount } of this.#records.loadWishes()) {
      this.#fleetsById.set(spec.fleetId, new Fleet(spec, desiredCount))
    }
    const marked = await findMarkedProcesses(this.#world.installationId)
    const { alive, goneIds, orphans } = findInheritance(this.#records, marked)
    await killOrphans(orphans, this.#world, this.#journal, this.#closing.signal)
    for (const instanceId of goneIds) this.#records.removeInstance(instanceId)
    this.#adopt(alive)
    this.#queue.start()
    // After the look for orphans, which its processes would be.
    this.#warmPool?.start()
    const { clock, log } = this.#options
    const upkeep = { clock, log, limits: this.#limits, logs: this.#logs }
    this.#upkeep = runUpkeep(() => this.#instances(), upkeep, this.#closing.signal)
  }

  async applyFleet(spec: FleetSpec, count: number): Promise<void> {
    const fleet = this.#fleetsById.get(spec.fleetId)
    if (fleet === undefined && count === 0) return
    if (fleet?.hasWish(spec, count) === true) return
    // On disk first: a wish that cannot be kept is not followed either, and the caller tries again.
    this.#records.saveWish({ version: 1, spec, desiredCount: count })
    if (fleet === undefined) this.#fleetsById.set(spec.fleetId, new Fleet(spec, count))
    else fleet.wish(spec, count)
    this.#look(spec)
  }

  removeFleet(fleetId: string): Promise<void> {
    const fleet = this.#fleetsById.get(fleetId)
    return fleet === undefined ? Promise.resolve() : this.applyFleet(fleet.spec, 0)
  }

  observeFleets(endpointName?: string): Promise<readonly ObservedFleet[]> {
    const fleets = [...this.#fleetsById.values()]
    const wanted = fleets.filter(
      ({ spec }) => endpointName === undefined || spec.endpointName === endpointName,
    )
    return Promise.resolve(wanted.map((fleet) => fleet.observe()))
  }

  /** Model data that instances read, adopted ones included: it must stay where it is. */
  contentHashesInUse(): ReadonlySet<string> {
    const containers = this.#instances().flatMap(({ record }) => record.containers)
    const hashes = containers.flatMap(({ contentHash, codeHash }) => [contentHash, codeHash])
    return new Set(hashes.filter((hash) => hash !== undefined))
  }

  /** Processes that wait to become instances. */
  observeWarmPool(): readonly ObservedPoolMember[] {
    return this.#warmPool?.observe() ?? []
  }

  onChange(listener: (endpointName: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readLogs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogLine> {
    return readLogs(this.#logs, request, this.#options.clock, signal)
  }

  /**
   * Drains and stops every instance, then closes. The wishes stay on disk: the next start brings the fleets back.
   *
   * @param signal - when it aborts, what still runs is killed.
   */
  async stopAll(signal: AbortSignal): Promise<void> {
    this.#isStopping = true
    this.#warmPool?.close()
    for (const fleetId of this.#fleetsById.keys()) this.#queue.add(fleetId)
    const { clock, log } = this.#options
    const never = new AbortController().signal
    let giveUpAtMs = Infinity
    while (this.#instances().length > 0 && clock.nowMs() < giveUpAtMs) {
      if (signal.aborted) {
        giveUpAtMs = Math.min(giveUpAtMs, clock.nowMs() + KILL_MS_MAX)
        await Promise.all(this.#instances().map((instance) => instance.kill()))
      }
      await clock.sleep(this.#limits.stopPollMs, never)
    }
    const leftIds = this.#instances().map(({ record }) => record.instanceId)
    if (leftIds.length > 0) log.error({ instanceIds: leftIds }, 'instances survived SIGKILL')
    await this.close()
  }

  /** Stops watching. The instances live on, for the next control to adopt. */
  async close(): Promise<void> {
    this.#warmPool?.close()
    for (const instance of this.#instances()) instance.abandon()
    this.#closing.abort()
    await this.#queue.stop()
    await this.#upkeep
  }

  async #reconcile(fleetId: string): Promise<number | undefined> {
    const fleet = this.#fleetsById.get(fleetId)
    if (fleet === undefined) return undefined
    const plan = planFleet(fleet.view(this.#isStopping), this.#options.clock.nowMs(), this.#limits)
    for (const action of plan.actions) await this.#apply(fleet, action)
    if (fleet.desiredCount === 0 && fleet.instancesById.size === 0) this.#removeFleet(fleet)
    // Each step may make the next one possible; a kill needs its time instead.
    const isBusy = plan.actions.some(({ kind }) => kind !== 'kill')
    return isBusy ? 0 : plan.lookAgainAfterMs
  }

  async #apply(fleet: Fleet, action: Action): Promise<void> {
    if (action.kind === 'start') return this.#startInstance(fleet, action.ordinal)
    const instance = fleet.instancesById.get(action.instanceId)
    if (instance === undefined) return
    switch (action.kind) {
      case 'drain': {
        const reason =
          action.reason === 'unhealthy'
            ? (instance.record.reason ?? 'unhealthy')
            : 'not wanted any more'
        instance.drain(reason)
        this.#journal.recordDraining(instance.record, reason)
        break
      }
      case 'terminate':
        instance.terminate()
        break
      case 'kill': {
        const isLate = !instance.hasEnded
        await instance.kill()
        if (isLate) this.#journal.recordKilled(instance.record, this.#limits.terminateMsMax)
        break
      }
      case 'remove':
        this.#records.removeInstance(action.instanceId)
        fleet.instancesById.delete(action.instanceId)
        this.#journal.recordStopped(instance.record)
        break
      case 'settle':
        fleet.settle(instance.record)
        break
    }
    this.#notify(fleet.spec.endpointName)
  }

  #startInstance(fleet: Fleet, ordinal: number): void {
    const { clock, capacity = 'over-commit' } = this.#options
    const nowMs = clock.nowMs()
    const pooled = this.#takePooled(fleet.spec)
    const instanceId = pooled?.instanceId ?? createInstanceId(nowMs, this.#options.random())
    const running = this.#instances().map(({ record }) => record.spec)
    const instance = new Instance(
      {
        version: 2,
        instanceId,
        ordinal,
        spec: fleet.spec,
        phase: 'preparing',
        phaseSinceMs: nowMs,
        startedAtMs: nowMs,
        containers: fleet.spec.containers.map((_container, index) => {
          return { socketPath: `${this.#records.instanceFolder(instanceId)}/${index}.sock` }
        }),
      },
      this.#world,
      pooled,
    )
    fleet.instancesById.set(instanceId, instance)
    const shortage =
      capacity === 'strict'
        ? describeShortage(
            fleet.spec.instanceType,
            running,
            this.#world.machine,
            this.#world.instanceShapes,
          )
        : undefined
    if (shortage === undefined) instance.start()
    else instance.refuse({ cause: 'capacity', reason: shortage, permanent: false, exit: undefined })
    this.#notify(fleet.spec.endpointName)
  }

  #takePooled({ containers }: FleetSpec): PoolMember | undefined {
    const [container, ...others] = containers
    if (container === undefined || others.length > 0) return undefined
    const program = this.#options.images(container.image)
    const isEligible = program?.pooled?.accepts(container.environment) === true
    return isEligible ? this.#warmPool?.take() : undefined
  }

  #adopt(records: readonly InstanceRecord[]): void {
    for (const record of records) {
      const { spec, instanceId } = record
      const instance = new Instance(record, this.#world)
      let fleet = this.#fleetsById.get(spec.fleetId)
      if (fleet === undefined) {
        // The wish was lost: keep what runs until the controller says what is wanted.
        const count = records.filter((other) => other.spec.fleetId === spec.fleetId).length
        fleet = new Fleet(spec, count)
        this.#fleetsById.set(spec.fleetId, fleet)
      }
      fleet.instancesById.set(instanceId, instance)
      instance.resume()
      this.#journal.recordAdopted(instance.record)
    }
  }

  #onFailure(record: InstanceRecord, failure: InstanceFailure, phaseBefore: Phase): void {
    const nowMs = this.#options.clock.nowMs()
    const fleet = this.#fleetsById.get(record.spec.fleetId)
    const delayMs = fleet?.recordFailure(record, failure, nowMs, this.#limits) ?? 0
    const kind = kindOfFailure(failure, phaseBefore, hasBeenSteady(record, nowMs, this.#limits))
    this.#journal.recordFailure(record, kind, failure)
    if (delayMs > 0) this.#journal.recordDelay(record, delayMs)
    this.#look(record.spec)
  }

  #removeFleet({ spec }: Fleet): void {
    this.#fleetsById.delete(spec.fleetId)
    this.#records.removeWish(spec.fleetId)
    this.#notify(spec.endpointName)
  }

  #createWorld(options: ProcessRuntimeOptions): InstanceWorld {
    const installationId = createHash('sha256').update(options.paths.dataDir).digest('hex')
    return {
      ...options,
      installationId: installationId.slice(0, 16),
      instanceShapes: options.instanceShapes ?? {},
      machine: options.machine ?? thisMachine(),
      limits: this.#limits,
      preparing: new Turnstile(this.#limits.preparingMax),
      records: this.#records,
      logs: this.#logs,
      onModelData: (record, seat, prepared) =>
        this.#journal.recordModelData(record, seat, prepared),
      onOptimised: (record, seat, outcome) => this.#journal.recordOptimised(record, seat, outcome),
      onStarted: (record, seat) => {
        this.#journal.recordStarted(record, seat)
        this.#notify(record.spec.endpointName)
      },
      onContainerFailure: (record, seat, failed) => {
        this.#journal.recordContainerFailure(record, seat, failed)
        this.#look(record.spec)
      },
      onContainerReady: (record, seat) => {
        this.#journal.recordContainerReady(record, seat)
        this.#look(record.spec)
      },
      onReady: (record) => {
        this.#journal.recordReady(record)
        this.#look(record.spec)
      },
      onFailure: (record, failure, phaseBefore) => this.#onFailure(record, failure, phaseBefore),
      onChange: ({ spec }) => this.#look(spec),
    }
  }

  #poolWorld(): WarmPoolWorld {
    const { installationId, records, logs, clock, log, environment, limits } = this.#world
    const newInstanceId = (): string => createInstanceId(clock.nowMs(), this.#options.random())
    const { openFilesMax } = limits
    const kept = { installationId, records, logs, clock, log }
    return { ...kept, environment, openFilesMax, newInstanceId }
  }

  #instances(): readonly Instance[] {
    return [...this.#fleetsById.values()].flatMap((fleet) => [...fleet.instancesById.values()])
  }

  #look({ fleetId, endpointName }: FleetSpec): void {
    this.#queue.add(fleetId)
    this.#notify(endpointName)
  }

  #notify(endpointName: string): void {
    for (const listener of this.#listeners) listener(endpointName)
  }
}

function kindOfFailure(
  { cause }: InstanceFailure,
  phaseBefore: Phase,
  wasSteady: boolean,
): InstanceEventKind {
  if (phaseBefore === 'ready' && cause === 'ping') return 'instance-unhealthy'
  return wasSteady ? 'instance-exited' : 'instance-start-failed'
}
