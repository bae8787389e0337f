import { decideAdmission } from '../domain/admission.ts'
import type { AdmissionVerdict } from '../domain/admission.ts'
import { chooseInstance } from '../domain/choose.ts'
import type { InstanceLoad } from '../domain/choose.ts'
import type { InstanceRoute, VariantRoute } from '../domain/routes.ts'

/** What this gateway has outstanding on one instance; outlives the instance's route until that is nothing. */
export interface InstanceUse extends InstanceLoad {
  readonly instance: InstanceRoute
  outstandingCount: number
  suspectUntilMs: number
  /** Undefined once the instance has left the routes. */
  lane: Lane | undefined
}

/** One invocation in a waiting line. */
export interface Waiter {
  readonly avoidInstanceId: string | undefined
  readonly admit: (use: InstanceUse) => void
  readonly fail: (reason: 'variant-removed') => void
}

/** The instances of one variant and the invocations that wait for a slot on them, in the order of arrival. */
export class Lane {
  readonly #random: () => number
  readonly #waiters = new Set<Waiter>()
  #variant: VariantRoute
  #uses: readonly InstanceUse[] = []

  constructor(variant: VariantRoute, random: () => number) {
    this.#variant = variant
    this.#random = random
  }

  get waitingCount(): number {
    return this.#waiters.size
  }

  get uses(): readonly InstanceUse[] {
    return this.#uses
  }

  /** The variant has another weight, strategy or set of instances. */
  update(variant: VariantRoute, uses: readonly InstanceUse[]): void {
    this.#variant = variant
    this.#uses = uses
  }

  decide(waitingMax: number, avoidInstanceId: string | undefined, nowMs: number) {
    const line = { waitingCount: this.#waiters.size, waitingMax }
    const rule = { strategy: this.#variant.routingStrategy, avoidInstanceId, nowMs }
    const verdict: AdmissionVerdict<InstanceUse> = decideAdmission(
      this.#uses,
      line,
      rule,
      this.#random(),
    )
    return verdict
  }

  join(waiter: Waiter): void {
    this.#waiters.add(waiter)
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
  }

  /** Gives free slots to those who wait longest. */
  admitWaiting(nowMs: number): void {
    for (const waiter of this.#waiters) {
      const strategy = this.#variant.routingStrategy
      const rule = { strategy, avoidInstanceId: waiter.avoidInstanceId, nowMs }
      const use = chooseInstance(this.#uses, rule, this.#random())
      if (use === undefined) return
      this.#waiters.delete(waiter)
      waiter.admit(use)
    }
  }

  /** The variant is gone: nobody who waits for it can be admitted. */
  close(): void {
    for (const waiter of this.#waiters) waiter.fail('variant-removed')
    this.#waiters.clear()
  }
}
