import { afterFailure } from '../../domain/back-off.ts'
import type { BackOff } from '../../domain/back-off.ts'
import type { InstanceState, ObservedContainer, ObservedInstance } from '../../domain/fleet.ts'
import { parseFramesHeader } from '../../domain/frames-address.ts'
import { ContainerProcess } from './container-process.ts'
import type { ContainerListener } from './container-process.ts'
import type { InstanceFailure } from './failure.ts'
import type { InstanceWorld } from './instance-world.ts'
import type { InstanceView, Phase } from './plan.ts'
import type { PoolMember } from './pool-member.ts'
import { findMarkedProcesses } from './process-table.ts'
import type { InstanceRecord } from './records.ts'
import { Remnants } from './remnants.ts'
import { seatsOf } from './seat.ts'
import type { Seat } from './seat.ts'
import { hasBeenSteady } from './steadiness.ts'

/** A container and how it fared. */
interface Member {
  process: ContainerProcess
  /** Undefined while it has not failed since it was last well for a while. */
  backOff: BackOff | undefined
  /** Why it is not ready, once it has been. */
  reason: string | undefined
}

/**
 * One instance: its containers, folder and record on disk. It is ready when all of its containers are.
 *
 * The fleet's plan decides about it; it decides nothing itself but this: a container that fails takes the instance with
 * it, except one of several in an instance that has served for a while. That one is started anew in its place, with
 * growing delays, while its siblings go on. Steps that end something may be repeated.
 */
export class Instance {
  readonly #world: InstanceWorld
  readonly #members: readonly Member[]
  /** Aborted when containers are not started anew any more. */
  readonly #life = new AbortController()
  readonly #remnants = new Remnants()
  #record: InstanceRecord
  #isRestEmpty = false
  /** Set by `abandon`: what happens from now on is the next control's business. */
  #isAbandoned = false

  /** @param pooled a waiting process with this instance's id, if there is one. */
  constructor(record: InstanceRecord, world: InstanceWorld, pooled?: PoolMember) {
    this.#record = record
    this.#world = world
    const seats = seatsOf(record, world.records.instanceFolder(record.instanceId))
    this.#members = seats.map((seat, index) => {
      const process = this.#createProcess(seat, index, record, pooled)
      return { process, backOff: undefined, reason: undefined }
    })
  }

  get record(): InstanceRecord {
    return this.#record
  }

  get hasEnded(): boolean {
    return this.#processes().every(({ hasEnded }) => hasEnded)
  }

  /** Prepares the model data, starts the processes and pings them; returns at once. */
  start(): void {
    for (const process of this.#processes()) process.start()
  }

  /** Ends it before it has begun. */
  refuse(failure: InstanceFailure): void {
    this.#fail(failure)
  }

  /** Goes on with processes that an earlier control started; starts anew what is missing of an instance that is wanted. */
  resume(): void {
    const { phase } = this.#record
    const isWanted = phase === 'preparing' || phase === 'starting' || phase === 'ready'
    for (const [index, { process }] of this.#members.entries()) {
      const isThere = process.record.process !== undefined
      if (!isWanted || !isThere) process.release()
      else process.resume(phase === 'ready')
      if (isWanted && !isThere) this.#revive(index, 0)
    }
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
      hasEnded: this.hasEnded && !this.#isReviving(),
      isGroupEmpty: this.#isRestEmpty,
      // Never ready, it never was in a route.
      isDrained: isDraining && (readyAtMs === undefined || this.#world.isDrained(instanceId)),
    }
  }

  observe(): ObservedInstance {
    const { instanceId, phase, reason, startedAtMs, readyAtMs } = this.#record
    const containers = this.#members.map((member) => this.#observeContainer(member))
    const [first] = containers
    const failed = containers.find(({ state }) => state !== 'ready')
    const isPartial = phase === 'ready' && failed !== undefined
    return {
      instanceId,
      reason: isPartial ? `container ${failed.hostname} is started anew: ${failed.reason}` : reason,
      startedAtMs,
      readyAtMs,
      state: isPartial ? 'starting' : STATE_BY_PHASE[phase],
      address: phase === 'preparing' ? undefined : first?.address,
      pid: first?.pid,
      ...(first?.frames !== undefined && { frames: first.frames }),
      ...(containers.length > 1 && { containers }),
    }
  }

  drain(reason: string): void {
    this.#release()
    this.#enter('draining', reason)
  }

  terminate(): void {
    this.#enter('terminating', this.#record.reason)
    for (const process of this.#processes()) process.terminate()
  }

  /** Kills the process groups; once their leaders are gone, whatever else the instance has started. */
  async kill(): Promise<void> {
    if (!this.hasEnded) {
      this.#release()
      this.#enter('killing', this.#record.reason)
      for (const process of this.#processes()) process.kill()
      return
    }
    const { instanceId } = this.#record
    const marked = await findMarkedProcesses(this.#world.installationId)
    const rest = marked.filter((found) => found.instanceId === instanceId)
    const isGone = this.#remnants.kill(rest)
    this.#isRestEmpty = isGone && this.#processes().every((process) => process.isGone())
  }

  /** Notices that processes which are not our children have ended. */
  lookForExit(): void {
    for (const process of this.#processes()) process.lookForExit()
  }

  /** Stops watching; the processes live on. */
  abandon(): void {
    this.#isAbandoned = true
    this.#life.abort()
    for (const process of this.#processes()) process.abandon()
  }

  #processes(): readonly ContainerProcess[] {
    return this.#members.map(({ process }) => process)
  }

  // An instance of which every container has failed at the same time still is one while they are started anew.
  #isReviving(): boolean {
    return this.#record.phase === 'ready' && this.#members.length > 1 && !this.#life.signal.aborted
  }

  #createProcess(
    seat: Seat,
    index: number,
    { containers }: InstanceRecord,
    pooled?: PoolMember,
  ): ContainerProcess {
    const record = containers[index] ?? { socketPath: seat.socketPath }
    const listener = this.#listenerOf(seat, index)
    return new ContainerProcess(seat, record, { world: this.#world, listener, pooled })
  }

  #listenerOf(seat: Seat, index: number): ContainerListener {
    const world = this.#world
    return {
      onModelData: (prepared) => world.onModelData(this.#record, seat, prepared),
      onOptimised: (outcome) => world.onOptimised(this.#record, seat, outcome),
      onLaunch: () => this.#noticeLaunch(),
      onStarted: () => world.onStarted(this.#record, seat),
      onReady: () => this.#noticeReady(index),
      onFailure: (failure) => this.#noticeFailure(index, failure),
      onEnd: () => world.onChange(this.#record),
      onRecord: () => this.#update({}),
      onFrames: () => this.#record.phase === 'ready' && world.onChange(this.#record),
    }
  }

  #noticeLaunch(): void {
    const areAllLaunched = this.#processes().every(({ isLaunched }) => isLaunched)
    if (this.#record.phase === 'preparing' && areAllLaunched) this.#enter('starting', undefined)
    this.#update({})
    this.#world.records.saveInstance(this.#record)
  }

  #noticeReady(index: number): void {
    const member = this.#members[index]
    if (member !== undefined) member.reason = undefined
    if (this.#record.phase === 'ready') {
      if (member !== undefined) this.#world.onContainerReady(this.#record, member.process.seat)
    } else if (this.#processes().every(({ isReady }) => isReady)) {
      const nowMs = this.#world.clock.nowMs()
      this.#update({ readyAtMs: nowMs, phase: 'ready', phaseSinceMs: nowMs })
      this.#world.onReady(this.#record)
    }
  }

  #noticeFailure(index: number, failure: InstanceFailure): void {
    const { limits, clock } = this.#world
    const nowMs = clock.nowMs()
    const member = this.#members[index]
    const isEstablished =
      this.#record.phase === 'ready' && hasBeenSteady(this.#record, nowMs, limits)
    const hostname = member?.process.seat.hostname
    if (member === undefined || hostname === undefined || !isEstablished) {
      return this.#fail(hostname === undefined ? failure : { ...failure, container: hostname })
    }
    const { readyAtMs = Infinity, seat } = member.process
    const previous = nowMs - readyAtMs >= limits.steadyMs ? undefined : member.backOff
    member.backOff = afterFailure(previous, nowMs, limits.backOff)
    member.reason = failure.reason
    const delayMs = member.backOff.notBeforeMs - nowMs
    this.#world.onContainerFailure(this.#record, seat, { failure, delayMs })
    this.#revive(index, delayMs)
  }

  #revive(index: number, delayMs: number): void {
    const { signal } = this.#life
    this.#replaceProcess(index, delayMs, signal).catch((error: unknown) => {
      if (signal.aborted) return
      const { instanceId } = this.#record
      this.#world.log.error({ instanceId, err: error }, 'container not started anew')
    })
  }

  async #replaceProcess(index: number, delayMs: number, signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#world
    const member = this.#members[index]
    if (member === undefined) return
    const { process: old } = member
    old.kill()
    while (!old.isGone() || !(await old.killRest())) await clock.sleep(limits.stopPollMs, signal)
    await clock.sleep(delayMs, signal)
    signal.throwIfAborted()
    const { socketPath, restartCount = 0 } = old.record
    const containers = this.#record.containers.with(index, {
      socketPath,
      restartCount: restartCount + 1,
    })
    member.process = this.#createProcess(old.seat, index, { ...this.#record, containers })
    this.#update({})
    member.process.start()
  }

  #observeContainer({ process, reason }: Member): ObservedContainer {
    const { socketPath, framesHeader, process: identity, restartCount = 0 } = process.record
    const frames = parseFramesHeader(framesHeader, socketPath)
    return {
      hostname: process.seat.container.hostname,
      state: this.#stateOf(process),
      reason: process.isReady ? undefined : reason,
      address: { kind: 'socket', path: socketPath },
      pid: process.hasEnded ? undefined : identity?.pid,
      restartCount,
      ...(frames !== undefined && { frames }),
    }
  }

  #stateOf(process: ContainerProcess): InstanceState {
    const { phase } = this.#record
    if (phase !== 'preparing' && phase !== 'starting' && phase !== 'ready') {
      return STATE_BY_PHASE[phase]
    }
    if (process.isReady) return 'ready'
    if (process.hasEnded) return 'unhealthy'
    return process.isLaunched ? 'starting' : 'preparing'
  }

  #fail(failure: InstanceFailure): void {
    const phaseBefore = this.#record.phase
    this.#release()
    this.#enter('unhealthy', failure.reason)
    this.#world.onFailure(this.#record, failure, phaseBefore)
  }

  #release(): void {
    this.#life.abort()
    for (const process of this.#processes()) process.release()
    this.#isRestEmpty = this.#processes().every(({ record }) => record.process === undefined)
  }

  #enter(phase: Phase, reason: string | undefined): void {
    const phaseSinceMs = this.#world.clock.nowMs()
    this.#update(reason === undefined ? { phase, phaseSinceMs } : { phase, phaseSinceMs, reason })
  }

  #update(change: Partial<InstanceRecord>): void {
    const containers = this.#processes().map(({ record }) => record)
    this.#record = { ...this.#record, ...change, containers }
    const hasProcess = containers.some(({ process }) => process !== undefined)
    if (hasProcess && !this.#isAbandoned) this.#saveIfPossible()
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
