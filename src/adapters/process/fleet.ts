import { afterFailure } from '../../domain/back-off.ts'
import type { BackOff } from '../../domain/back-off.ts'
import type { FleetSpec, ObservedFleet, StartFailure } from '../../domain/fleet.ts'
import type { InstanceFailure } from './failure.ts'
import type { Instance } from './instance.ts'
import type { FleetView } from './plan.ts'
import { hasBeenSteady } from './steadiness.ts'
import type { InstanceRecord } from './records.ts'
import type { ProcessLimits } from './settings.ts'

/** What is known of one fleet: the wish, its instances and how their starts went. */
export class Fleet {
  readonly instancesById = new Map<string, Instance>()
  readonly #backOffByOrdinal = new Map<number, BackOff>()
  #spec: FleetSpec
  #desiredCount: number
  #startFailure: StartFailure | undefined

  constructor(spec: FleetSpec, desiredCount: number) {
    this.#spec = spec
    this.#desiredCount = desiredCount
  }

  get spec(): FleetSpec {
    return this.#spec
  }

  get desiredCount(): number {
    return this.#desiredCount
  }

  hasWish(spec: FleetSpec, desiredCount: number): boolean {
    return (
      desiredCount === this.#desiredCount && JSON.stringify(spec) === JSON.stringify(this.#spec)
    )
  }

  /** A new wish is a new try: failures before it are forgotten. */
  wish(spec: FleetSpec, desiredCount: number): void {
    this.#spec = spec
    this.#desiredCount = desiredCount
    this.#backOffByOrdinal.clear()
    this.#startFailure = undefined
  }

  /** @returns how long the replacement waits, in milliseconds. */
  recordFailure(
    record: InstanceRecord,
    failure: InstanceFailure,
    nowMs: number,
    limits: ProcessLimits,
  ): number {
    const { ordinal } = record
    const next = afterFailure(this.#backOffByOrdinal.get(ordinal), nowMs, limits.backOff)
    const notBeforeMs = failure.permanent ? nowMs + limits.permanentBackOffMs : next.notBeforeMs
    this.#backOffByOrdinal.set(ordinal, { ...next, notBeforeMs })
    if (!hasBeenSteady(record, nowMs, limits)) {
      const { cause, container, reason, permanent } = failure
      const consecutiveCount = (this.#startFailure?.consecutiveCount ?? 0) + 1
      this.#startFailure = {
        cause,
        ...(container !== undefined && { container }),
        reason,
        permanent,
        consecutiveCount,
        atMs: nowMs,
      }
    }
    return notBeforeMs - nowMs
  }

  /** Forgets the failures before this instance, which has been ready for a while. */
  settle({ ordinal, startedAtMs }: InstanceRecord): void {
    this.#backOffByOrdinal.delete(ordinal)
    if ((this.#startFailure?.atMs ?? Infinity) <= startedAtMs) this.#startFailure = undefined
  }

  /** With `isStopping`, as if nothing were wanted; the wish stays. */
  view(isStopping: boolean): FleetView {
    return {
      desiredCount: isStopping ? 0 : this.#desiredCount,
      instances: [...this.instancesById.values()].map((instance) => instance.view()),
      backOffByOrdinal: this.#backOffByOrdinal,
    }
  }

  observe(): ObservedFleet {
    const { fleetId, endpointName, endpointId, variantName, generation } = this.#spec
    return {
      fleetId,
      endpointName,
      endpointId,
      variantName,
      generation,
      desiredInstanceCount: this.#desiredCount,
      instances: [...this.instancesById.values()].map((instance) => instance.observe()),
      startFailure: this.#startFailure,
    }
  }
}
