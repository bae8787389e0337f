import { chooseInstance } from './choose.ts'
import type { InstanceLoad, InstanceRule } from './choose.ts'

/** What becomes of an invocation that asks for a slot of its variant. */
export type AdmissionVerdict<I> =
  | { readonly kind: 'admitted'; readonly instance: I }
  /** `unready` when it waits for an instance to appear, not for a slot of one that is there. */
  | { readonly kind: 'waits'; readonly unready: boolean }
  | { readonly kind: 'rejected' }

/** The waiting line as an invocation finds it. */
export interface WaitingLine {
  readonly waitingCount: number
  readonly waitingMax: number
}

/**
 * Whether an invocation is forwarded now, waits or is rejected.
 *
 * | waiting | an instance can take it | verdict |
 * |---|---|---|
 * | nobody | yes | admitted |
 * | somebody | any | waits behind them: slots go in the order of arrival |
 * | nobody | no | waits |
 * | the line is full | any | rejected |
 */
export function decideAdmission<I extends InstanceLoad>(
  instances: readonly I[],
  line: WaitingLine,
  rule: InstanceRule,
  random: number,
): AdmissionVerdict<I> {
  if (line.waitingCount === 0) {
    const instance = chooseInstance(instances, rule, random)
    if (instance !== undefined) return { kind: 'admitted', instance }
  }
  if (line.waitingCount >= line.waitingMax) return { kind: 'rejected' }
  return {
    kind: 'waits',
    unready: instances.every((instance) => instance.suspectUntilMs > rule.nowMs),
  }
}

/** How an attempt on one instance failed before a byte of the reply came. */
export type FailedAttempt =
  /** No connection: the invocation has not reached the instance. */
  | 'refused'
  /** The connection broke: the instance may have worked on it. */
  | 'reset'

/** What was tried so far for one invocation. */
export interface AttemptHistory {
  readonly failed: FailedAttempt
  /** Attempts that were reset, this one included. */
  readonly resetCount: number
  /** When the first attempt of this invocation began. */
  readonly firstAttemptAtMs: number
  readonly nowMs: number
  /** How long an invocation may look for an instance that accepts it. */
  readonly unreadyWaitMs: number
}

/**
 * Whether an invocation is tried again, and if not, whose failure it is.
 *
 * A reset attempt is repeated once, because the instance may have worked on it and may have died of it. A refused one
 * has cost nothing and is repeated while time remains, because a replacement is on its way; the pause between attempts
 * is the suspicion under which the refusing instance stands.
 */
export function decideRetry(history: AttemptHistory): 'retry' | 'model-error' | 'unavailable' {
  if (history.failed === 'reset') return history.resetCount <= 1 ? 'retry' : 'model-error'
  const elapsedMs = history.nowMs - history.firstAttemptAtMs
  return elapsedMs < history.unreadyWaitMs ? 'retry' : 'unavailable'
}
