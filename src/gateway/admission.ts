import type { AdmissionVerdict } from '../domain/admission.ts'
import { BerthError } from '../domain/errors.ts'
import { containerKey, partsOf } from '../domain/routes.ts'
import type { ContainerRoute, EndpointRoute, InstanceRoute, RoutePart } from '../domain/routes.ts'
import { ServiceTime } from '../domain/service-time.ts'
import type { Clock } from '../ports/clock.ts'
import { ClientGone } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { Lane } from './lane.ts'
import type { InstanceUse, Waiter, WaiterFailure } from './lane.ts'

// A refused connection mostly means a process that has just died. A second is short beside its replacement and long
// beside the cost of one refused attempt.
const SUSPECT_MS = 1_000

/** Bounds of admission and what it takes from its surroundings. */
export interface AdmissionOptions {
  /** Invocations outstanding on one instance at a time, or on one container of it that callers name. */
  readonly slotsPerInstance: number
  /** Invocations that may wait, per lane. */
  readonly waitingMax: number
  /** How long an invocation waits while its variant has no instance that accepts connections. */
  readonly unreadyWaitMs: number
  /** The longest an invocation may take. */
  readonly invocationTimeoutMs: number
  /** Within which an answer is useful; 0: within the invocation's timeout. */
  readonly objectiveMs: number
  /** The same for one endpoint, where it has an objective of its own. */
  readonly objectiveMsOf?: (endpointName: string) => number | undefined
  /** Whether what cannot be answered in time is rejected at once; `off` rejects only when the line is full. */
  readonly shedding: 'on' | 'off'
  readonly clock: Clock
  /** Never set back, finer than a millisecond: what invocations take is learned from it. @defaultValue performance.now */
  readonly nowMs?: () => number
  readonly random: () => number
  /** Called when an instance that has left the routes has nothing outstanding any more. */
  readonly onInstanceFree: (instanceId: string) => void
}

/** The right to have one invocation outstanding on an instance, until it is disposed of. */
export class Slot implements Disposable {
  readonly #use: InstanceUse
  readonly #aheadCount: number
  readonly #takenAtMs: number
  readonly #giveBack: (use: InstanceUse, nowMs: number) => void
  readonly #nowMs: () => number
  #isHeld = true

  constructor(use: InstanceUse, owner: SlotOwner) {
    this.#use = use
    this.#aheadCount = use.outstandingCount
    this.#nowMs = owner.nowMs
    this.#takenAtMs = owner.nowMs()
    this.#giveBack = owner.giveBack
    use.lane?.recordAdmitted(use, this.#takenAtMs)
    use.outstandingCount += 1
  }

  get instance(): InstanceRoute {
    return this.#use.instance
  }

  /** The container has answered to the last byte: what that took says how long the next ones will take. */
  recordReply(): void {
    this.#use.service.record(this.#aheadCount, this.#nowMs() - this.#takenAtMs)
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#giveBack(this.#use, this.#nowMs())
  }
}

interface SlotOwner {
  readonly nowMs: () => number
  readonly giveBack: (use: InstanceUse, nowMs: number) => void
}

/** What an invocation asks for. */
export interface SlotRequest {
  readonly endpointName: string
  readonly variantName: string
  /** Of the container that the caller names, where callers do. */
  readonly directHostname?: string | undefined
  /** Where an attempt failed; chosen again only when nothing else is there. */
  readonly avoidInstanceId: string | undefined
  readonly deadline: Deadline
}

/** Whom an invocation is for, as far as its head says. */
export interface SlotTarget {
  readonly targetVariant: string | undefined
  readonly targetContainerHostname: string | undefined
}

/**
 * One slot for each outstanding invocation, and one bounded waiting line for each variant, or for each container of it
 * that callers name: one that is slow fills its own slots and its own line, not those of its siblings.
 *
 * Waiters hold their body in memory, so both the line and the bytes (`BodyBudget`) are bounded.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #laneByKey = new Map<string, Lane>()
  readonly #lanesByEndpoint = new Map<string, readonly Lane[]>()
  readonly #useByContainer = new Map<string, InstanceUse>()
  readonly #nowMs: () => number
  readonly #slotOwner: SlotOwner
  readonly #closing = new AbortController()

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? (() => performance.now())
    const giveBack = (use: InstanceUse, nowMs: number): void => this.#giveBack(use, nowMs)
    this.#slotOwner = { nowMs: this.#nowMs, giveBack }
  }

  /** Takes over a change of one endpoint's route. */
  applyRoute(previous: EndpointRoute | undefined, next: EndpointRoute | undefined): void {
    const kept = new Set<string>()
    const lanes: Lane[] = []
    for (const part of (next?.variants ?? []).flatMap(partsOf)) {
      const endpointName = next?.endpointName ?? ''
      const key = laneKey({ ...part, endpointName })
      kept.add(key)
      lanes.push(this.#applyPart(key, part, this.#usefulMsOf(endpointName)))
    }
    if (next !== undefined) this.#lanesByEndpoint.set(next.endpointName, lanes)
    else if (previous !== undefined) this.#lanesByEndpoint.delete(previous.endpointName)
    for (const part of (previous?.variants ?? []).flatMap(partsOf)) {
      const key = laneKey({ ...part, endpointName: previous?.endpointName ?? '' })
      if (!kept.has(key)) this.#removeLane(key)
    }
  }

  /**
   * Refuses an invocation whose body has not been read yet, when {@link Admission.enter} would refuse it.
   *
   * @param findTarget whom it is for; asked for only when something of the endpoint was rejected lately.
   * @throws BerthError `ServiceUnavailable`: whichever variant it goes to, its line is full or it would come too late.
   */
  refuseEarly(endpointName: string, findTarget: () => SlotTarget): void {
    const lanes = this.#lanesByEndpoint.get(endpointName)
    if (lanes === undefined || !lanes.some(({ isRefusing }) => isRefusing)) return
    const { targetVariant, targetContainerHostname } = findTarget()
    let refusal: BerthError | undefined
    for (const lane of lanes) {
      const { variantName, directHostname, weight } = lane.part
      if (targetVariant === undefined ? weight === 0 : variantName !== targetVariant) continue
      if (directHostname !== undefined && directHostname !== targetContainerHostname) continue
      const verdict = lane.decide(undefined, this.#nowMs())
      if (verdict.kind !== 'rejected') return
      refusal = this.#rejection(verdict, { endpointName, variantName, directHostname })
    }
    if (refusal !== undefined) throw refusal
  }

  /**
   * A slot on an instance of the variant: at once, or when one comes free.
   *
   * @throws BerthError `ServiceUnavailable`: the answer would come too late, the line is full, or no instance came
   * free in time.
   * @throws ClientGone
   */
  enter(request: SlotRequest): Slot | Promise<Slot> {
    const { avoidInstanceId, deadline } = request
    if (deadline.endedBy !== undefined) throw endOf(request)
    const lane = this.#laneByKey.get(laneKey(request))
    if (lane === undefined) throw variantRemoved(request)
    const verdict = lane.decide(avoidInstanceId, this.#nowMs())
    switch (verdict.kind) {
      case 'admitted':
        return new Slot(verdict.instance, this.#slotOwner)
      case 'waits':
        return this.#wait(lane, request, verdict.unready)
      case 'rejected':
        throw this.#rejection(verdict, request)
    }
  }

  /** What is outstanding on an instance that is routed to, by the container that takes invocations. */
  findUse(instance: ContainerRoute): InstanceUse | undefined {
    const use = this.#useByContainer.get(containerKey(instance))
    return use?.lane === undefined ? undefined : use
  }

  /** A slot for a caller that has its own line before the instance and has seen that one is free. */
  takeSlot(use: InstanceUse): Slot {
    return new Slot(use, this.#slotOwner)
  }

  /** The instance refused a connection: it is left alone for a while. */
  recordRefusal(instance: ContainerRoute): boolean {
    const use = this.#useByContainer.get(containerKey(instance))
    const nowMs = this.#nowMs()
    if (use === undefined || use.suspectUntilMs > nowMs) return false
    use.suspectUntilMs = nowMs + SUSPECT_MS
    this.#options.clock.sleep(SUSPECT_MS, this.#closing.signal).then(
      () => {
        // Said, not compared: a timer may fire a little before its time.
        use.suspectUntilMs = 0
        use.lane?.admitWaiting(this.#nowMs())
      },
      () => undefined,
    )
    return true
  }

  outstandingByInstance(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { instanceId, outstandingCount } of this.#useByContainer.values()) {
      if (outstandingCount > 0) counts[instanceId] = (counts[instanceId] ?? 0) + outstandingCount
    }
    return counts
  }

  get waitingCount(): number {
    let count = 0
    for (const lane of this.#laneByKey.values()) count += lane.waitingCount
    return count
  }

  /** Ends its timers. Slots and waiters end with their own deadlines. */
  close(): void {
    this.#closing.abort()
  }

  #usefulMsOf(endpointName: string): number {
    const { shedding, objectiveMs, objectiveMsOf, invocationTimeoutMs } = this.#options
    if (shedding === 'off') return Infinity
    return (objectiveMsOf?.(endpointName) ?? objectiveMs) || invocationTimeoutMs
  }

  #applyPart(key: string, part: RoutePart, usefulMs: number): Lane {
    const { waitingMax, random } = this.#options
    const lane = this.#laneByKey.get(key) ?? new Lane(part, { waitingMax, usefulMs, random })
    this.#laneByKey.set(key, lane)
    const uses = part.instances.map((instance) => this.#findOrAddUse(instance, usefulMs))
    const present = new Set(uses)
    for (const use of lane.uses) if (!present.has(use)) this.#removeUse(use)
    for (const use of uses) use.lane = lane
    lane.update(part, uses)
    lane.admitWaiting(this.#nowMs())
    return lane
  }

  #findOrAddUse(instance: InstanceRoute, usefulMs: number): InstanceUse {
    const key = containerKey(instance)
    const known = this.#useByContainer.get(key)
    if (known !== undefined) {
      known.instance = instance
      return known
    }
    const { instanceId } = instance
    const slotCount = this.#options.slotsPerInstance
    const counts = { outstandingCount: 0, slotCount, suspectUntilMs: 0 }
    const service = new ServiceTime(usefulMs)
    const use: InstanceUse = { instanceId, instance, service, ...counts, lane: undefined }
    this.#useByContainer.set(key, use)
    return use
  }

  #removeLane(key: string): void {
    const lane = this.#laneByKey.get(key)
    if (lane === undefined) return
    this.#laneByKey.delete(key)
    lane.close()
    for (const use of lane.uses) this.#removeUse(use)
  }

  #removeUse(use: InstanceUse): void {
    use.lane = undefined
    if (use.outstandingCount === 0) this.#useByContainer.delete(containerKey(use.instance))
  }

  #giveBack(use: InstanceUse, nowMs: number): void {
    use.outstandingCount -= 1
    if (use.lane !== undefined) use.lane.admitWaiting(nowMs)
    else if (use.outstandingCount === 0) {
      this.#useByContainer.delete(containerKey(use.instance))
      this.#options.onInstanceFree(use.instanceId)
    }
  }

  async #wait(lane: Lane, request: SlotRequest, unready: boolean): Promise<Slot> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot>()
    const ended = new AbortController()
    const waiter: Waiter = {
      avoidInstanceId: request.avoidInstanceId,
      joinedAtMs: this.#nowMs(),
      admit: (use) => resolve(new Slot(use, this.#slotOwner)),
      fail: (reason) => reject(failureOf(reason, request)),
    }
    const abandon = (): void => {
      lane.leave(waiter)
      reject(endOf(request))
    }
    lane.join(waiter)
    request.deadline.onEnd(abandon)
    if (unready) {
      const { clock, unreadyWaitMs } = this.#options
      clock.sleep(unreadyWaitMs, ended.signal).then(
        () => {
          lane.leave(waiter)
          reject(noInstance(request))
        },
        () => undefined,
      )
    }
    try {
      return await promise
    } finally {
      ended.abort()
      request.deadline.onEnd(undefined)
    }
  }

  #rejection(verdict: Rejection, names: Names): BerthError {
    if (verdict.reason === 'line-full') return lineIsFull(names, this.#options.waitingMax)
    return tooLate(names, verdict.predictedMs, this.#usefulMsOf(names.endpointName))
  }
}

type Rejection = Extract<AdmissionVerdict<InstanceUse>, { kind: 'rejected' }>

function laneKey({ endpointName, variantName, directHostname }: Names): string {
  const key = `${endpointName}/${variantName}`
  return directHostname === undefined ? key : `${key}/${directHostname}`
}

function endOf(request: SlotRequest): Error {
  const { endedBy } = request.deadline
  return endedBy instanceof ClientGone ? endedBy : noSlotInTime(request)
}

type Names = Pick<SlotRequest, 'endpointName' | 'variantName' | 'directHostname'>

function laneName({ endpointName, variantName, directHostname }: Names): string {
  const variant = `variant ${variantName} of endpoint ${endpointName}`
  return directHostname === undefined ? variant : `container ${directHostname} of ${variant}`
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function variantRemoved(names: Names): BerthError {
  return unavailable(`${capitalised(laneName(names))} has just been removed.`)
}

function failureOf(reason: WaiterFailure, names: Names): BerthError {
  return reason === 'variant-removed' ? variantRemoved(names) : waitedTooLong(names)
}

function tooLate(names: Names, predictedMs: number, usefulMs: number) {
  const what = `${capitalised(laneName(names))} would answer in about`
  const times = `${Math.ceil(predictedMs)} ms, and ${usefulMs} ms are allowed`
  return unavailable(`${what} ${times}. Repeat the call, or add instances.`)
}

function waitedTooLong(names: Names): BerthError {
  const what = `Too many invocations wait for ${laneName(names)}`
  return unavailable(`${what} to answer this one in time. Repeat the call, or add instances.`)
}

function lineIsFull(names: Names, waitingMax: number): BerthError {
  const line = `${waitingMax} invocations already wait for ${laneName(names)}`
  return unavailable(`${line}. Repeat the call, or add instances.`)
}

function noSlotInTime(names: Names): BerthError {
  const what = `No instance of ${laneName(names)} came free`
  return unavailable(`${what} before the invocation timed out. Repeat the call, or add instances.`)
}

/** No instance accepts connections, and none did in the time an invocation waits for one. */
export function noInstance(names: Names): BerthError {
  const what = `${capitalised(laneName(names))} has no healthy instance`
  return unavailable(`${what} at the moment. Repeat the call.`)
}

function unavailable(message: string): BerthError {
  return new BerthError('ServiceUnavailable', message)
}
