import { afterFailure } from '../back-off.ts'
import type { BackOff, BackOffPolicy } from '../back-off.ts'

/** Waits of a model that cannot be loaded: 1, 2, 4, … seconds, at most five minutes. */
export const LOAD_BACK_OFF: BackOffPolicy = {
  freeCount: 0,
  firstDelayMs: 1_000,
  delayMsMax: 300_000,
}

// What a store does not have may be put there at any moment, and is usable then without a call.
const MISSING_BACK_OFF: BackOffPolicy = { freeCount: 0, firstDelayMs: 250, delayMsMax: 1_000 }

// Others may go at any moment.
const FULL_BACK_OFF: BackOffPolicy = { freeCount: 0, firstDelayMs: 250, delayMsMax: 5_000 }

const POLICIES = { broken: LOAD_BACK_OFF, missing: MISSING_BACK_OFF, full: FULL_BACK_OFF } as const

/** How a load failed. */
export type LoadFailureKind = keyof typeof POLICIES

// Names that nobody puts are not remembered for ever.
const HELD_MAX = 10_000

/** Why a model cannot be had, for as long as it is not tried again. */
export interface HeldFailure<Reason> {
  /** `deadly`: processes keep ending while it is loaded or answers (`process-blame.ts`). */
  readonly kind: LoadFailureKind | 'deadly'
  readonly reason: Reason
  readonly backOff: BackOff
}

/**
 * Models that failed. Until its time is over a model is refused with the reason of its last failure, so that callers of one that
 * cannot work cost the loaders nothing.
 */
export class Quarantine<Reason> {
  readonly #heldByModel = new Map<string, HeldFailure<Reason>>()

  /** The failure that keeps the model from being tried now. */
  find(model: string, nowMs: number): HeldFailure<Reason> | undefined {
    const held = this.#heldByModel.get(model)
    return held !== undefined && held.backOff.notBeforeMs > nowMs ? held : undefined
  }

  /** @returns with how often it has failed in a row and when it may be tried again. */
  recordFailure(
    model: string,
    failure: { readonly kind: LoadFailureKind; readonly reason: Reason },
    nowMs: number,
  ): HeldFailure<Reason> {
    const previous = this.#heldByModel.get(model)
    const isSame = previous?.kind === failure.kind
    const before = isSame ? previous.backOff : undefined
    const backOff = afterFailure(before, nowMs, POLICIES[failure.kind])
    const held = { ...failure, backOff }
    this.hold(model, held)
    return held
  }

  /** Refuses the model until a time that others have decided. */
  hold(model: string, held: HeldFailure<Reason>): void {
    this.#heldByModel.delete(model)
    this.#heldByModel.set(model, held)
    if (this.#heldByModel.size > HELD_MAX) {
      const [oldest] = this.#heldByModel.keys()
      if (oldest !== undefined) this.#heldByModel.delete(oldest)
    }
  }

  /** Nothing could be tried for a while: the waits of what failed since it began are to pass from now on. */
  beginAgain(sinceMs: number, nowMs: number): void {
    for (const [model, held] of this.#heldByModel) {
      const { failedAtMs, notBeforeMs } = held.backOff
      if (failedAtMs < sinceMs) continue
      const backOff = { ...held.backOff, notBeforeMs: nowMs + notBeforeMs - failedAtMs }
      this.#heldByModel.set(model, { ...held, backOff })
    }
  }

  recordSuccess(model: string): void {
    this.#heldByModel.delete(model)
  }

  /** All that are held now, by model. */
  list(nowMs: number): readonly (HeldFailure<Reason> & { readonly model: string })[] {
    return [...this.#heldByModel].flatMap(([model, held]) =>
      held.backOff.notBeforeMs > nowMs ? [{ model, ...held }] : [],
    )
  }
}
