import { BerthError } from '../domain/errors.ts'
import type { EndpointRoute, InstanceRoute, VariantRoute } from '../domain/routes.ts'
import type { Clock } from '../ports/clock.ts'
import { DeadlinePassed } from './deadline.ts'
import { Lane } from './lane.ts'
import type { InstanceUse } from './lane.ts'

// A refused connection mostly means a process that has just died. A second is short beside its replacement and long
// beside the cost of one refused attempt.
const SUSPECT_MS = 1_000

/** Bounds of admission and what it takes from its surroundings. */
export interface AdmissionOptions {
  /** Invocations outstanding on one instance at a time. */
  readonly slotsPerInstance: number
  /** Invocations that may wait, per variant. */
  readonly waitingMax: number
  /** How long an invocation waits while its variant has no instance that accepts connections. */
  readonly unreadyWaitMs: number
  readonly clock: Clock
  readonly random: () => number
  /** Called when an instance that has left the routes has nothing outstanding any more. */
  readonly onInstanceFree: (instanceId: string) => void
}

/** The right to have one invocation outstanding on an instance, until it is disposed of. */
export interface Slot extends Disposable {
  readonly instance: InstanceRoute
}

/** What an invocation asks for. */
export interface SlotRequest {
  readonly endpointName: string
  readonly variantName: string
  /** Where an attempt failed; chosen again only when nothing else is there. */
  readonly avoidInstanceId: string | undefined
  readonly signal: AbortSignal
}

/**
 * One slot for each outstanding invocation, and one bounded waiting line for each variant.
 *
 * Waiters hold their body in memory, so both the line and the bytes (`BodyBudget`) are bounded.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #laneByVariant = new Map<string, Lane>()
  readonly #useByInstance = new Map<string, InstanceUse>()
  readonly #closing = new AbortController()

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Takes over a change of one endpoint's route. */
  applyRoute(previous: EndpointRoute | undefined, next: EndpointRoute | undefined): void {
    const kept = new Set<string>()
    for (const variant of next?.variants ?? []) {
      const key = laneKey(next?.endpointName ?? '', variant.variantName)
      kept.add(key)
      this.#applyVariant(key, variant)
    }
    for (const variant of previous?.variants ?? []) {
      const key = laneKey(previous?.endpointName ?? '', variant.variantName)
      if (!kept.has(key)) this.#removeLane(key)
    }
  }

  /**
   * Waits for a slot on an instance of the variant.
   *
   * @throws BerthError `ServiceUnavailable`: the line is full, or no instance came free in time.
   * @throws the signal's reason when it aborts.
   */
  enter(request: SlotRequest): Promise<Slot> {
    const { endpointName, variantName, avoidInstanceId, signal } = request
    if (signal.aborted) return Promise.reject(endOf(request))
    const lane = this.#laneByVariant.get(laneKey(endpointName, variantName))
    if (lane === undefined) return Promise.reject(variantRemoved(request))
    const { waitingMax, clock } = this.#options
    const verdict = lane.decide(waitingMax, avoidInstanceId, clock.nowMs())
    switch (verdict.kind) {
      case 'admitted':
        return Promise.resolve(this.#take(verdict.instance))
      case 'waits':
        return this.#wait(lane, request, verdict.unready)
      case 'rejected':
        return Promise.reject(lineIsFull(request, waitingMax))
    }
  }

  /** The instance refused a connection: it is left alone for a while. */
  recordRefusal(instanceId: string): boolean {
    const use = this.#useByInstance.get(instanceId)
    const nowMs = this.#options.clock.nowMs()
    if (use === undefined || use.suspectUntilMs > nowMs) return false
    use.suspectUntilMs = nowMs + SUSPECT_MS
    this.#options.clock.sleep(SUSPECT_MS, this.#closing.signal).then(
      () => use.lane?.admitWaiting(this.#options.clock.nowMs()),
      () => undefined,
    )
    return true
  }

  outstandingByInstance(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { instanceId, outstandingCount } of this.#useByInstance.values()) {
      if (outstandingCount > 0) counts[instanceId] = outstandingCount
    }
    return counts
  }

  get waitingCount(): number {
    let count = 0
    for (const lane of this.#laneByVariant.values()) count += lane.waitingCount
    return count
  }

  /** Ends its timers. Slots and waiters end with their own deadlines. */
  close(): void {
    this.#closing.abort()
  }

  #applyVariant(key: string, variant: VariantRoute): void {
    const lane = this.#laneByVariant.get(key) ?? new Lane(variant, this.#options.random)
    this.#laneByVariant.set(key, lane)
    const uses = variant.instances.map((instance) => this.#findOrAddUse(instance))
    const present = new Set(uses)
    for (const use of lane.uses) if (!present.has(use)) this.#removeUse(use)
    for (const use of uses) use.lane = lane
    lane.update(variant, uses)
    lane.admitWaiting(this.#options.clock.nowMs())
  }

  #findOrAddUse(instance: InstanceRoute): InstanceUse {
    const known = this.#useByInstance.get(instance.instanceId)
    if (known !== undefined) return known
    const { instanceId } = instance
    const slotCount = this.#options.slotsPerInstance
    const counts = { outstandingCount: 0, slotCount, suspectUntilMs: 0 }
    const use: InstanceUse = { instanceId, instance, ...counts, lane: undefined }
    this.#useByInstance.set(instanceId, use)
    return use
  }

  #removeLane(key: string): void {
    const lane = this.#laneByVariant.get(key)
    if (lane === undefined) return
    this.#laneByVariant.delete(key)
    lane.close()
    for (const use of lane.uses) this.#removeUse(use)
  }

  #removeUse(use: InstanceUse): void {
    use.lane = undefined
    if (use.outstandingCount === 0) this.#useByInstance.delete(use.instanceId)
  }

  #take(use: InstanceUse): Slot {
    use.outstandingCount += 1
    let isHeld = true
    return {
      instance: use.instance,
      [Symbol.dispose]: () => {
        if (!isHeld) return
        isHeld = false
        this.#giveBack(use)
      },
    }
  }

  #giveBack(use: InstanceUse): void {
    use.outstandingCount -= 1
    if (use.lane !== undefined) use.lane.admitWaiting(this.#options.clock.nowMs())
    else if (use.outstandingCount === 0) {
      this.#useByInstance.delete(use.instanceId)
      this.#options.onInstanceFree(use.instanceId)
    }
  }

  async #wait(lane: Lane, request: SlotRequest, unready: boolean): Promise<Slot> {
    const { promise, resolve, reject } = Promise.withResolvers<Slot>()
    const ended = new AbortController()
    const waiter = {
      avoidInstanceId: request.avoidInstanceId,
      admit: (use: InstanceUse) => resolve(this.#take(use)),
      fail: () => reject(variantRemoved(request)),
    }
    const abandon = (): void => {
      lane.leave(waiter)
      reject(endOf(request))
    }
    lane.join(waiter)
    request.signal.addEventListener('abort', abandon, { once: true })
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
      request.signal.removeEventListener('abort', abandon)
    }
  }
}

function laneKey(endpointName: string, variantName: string): string {
  return `${endpointName}/${variantName}`
}

function endOf(request: SlotRequest): unknown {
  const { reason }: { readonly reason: unknown } = request.signal
  return reason instanceof DeadlinePassed ? noSlotInTime(request) : reason
}

type Names = Pick<SlotRequest, 'endpointName' | 'variantName'>

function variantRemoved({ endpointName, variantName }: Names): BerthError {
  return unavailable(`Variant ${variantName} of endpoint ${endpointName} has just been removed.`)
}

function lineIsFull({ endpointName, variantName }: Names, waitingMax: number): BerthError {
  const line = `${waitingMax} invocations already wait for variant ${variantName} of endpoint`
  return unavailable(`${line} ${endpointName}. Repeat the call, or add instances.`)
}

function noSlotInTime({ endpointName, variantName }: Names): BerthError {
  const what = `No instance of variant ${variantName} of endpoint ${endpointName} came free`
  return unavailable(`${what} before the invocation timed out. Repeat the call, or add instances.`)
}

/** No instance accepts connections, and none did in the time an invocation waits for one. */
export function noInstance({ endpointName, variantName }: Names): BerthError {
  const what = `Variant ${variantName} of endpoint ${endpointName} has no healthy instance`
  return unavailable(`${what} at the moment. Repeat the call.`)
}

function unavailable(message: string): BerthError {
  return new BerthError('ServiceUnavailable', message)
}
