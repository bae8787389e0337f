import { chooseInstance } from './choose.ts'
import type { InstanceLoad, InstanceRule } from './choose.ts'
import type { ServicePrediction } from './service-time.ts'

/** What becomes of an invocation that asks for a slot of its variant. */
export type AdmissionVerdict<I> =
  | { readonly kind: 'admitted'; readonly instance: I }
  /** `unready` when it waits for an instance to appear, not for a slot of one that is there. */
  | { readonly kind: 'waits'; readonly unready: boolean }
  | { readonly kind: 'rejected'; readonly reason: 'line-full' }
  /** Its answer would come too late. */
  | { readonly kind: 'rejected'; readonly reason: 'too-late'; readonly predictedMs: number }

/** The waiting line as an invocation finds it. */
export interface WaitingLine {
  readonly waitingCount: number
  readonly waitingMax: number
}

/** An instance whose speed is known, or becomes known. */
export interface PredictableInstance extends InstanceLoad {
  readonly service: ServicePrediction
}

/** How an invocation is admitted. */
export interface AdmissionRule extends InstanceRule {
  /** Within which its answer is useful; infinite when nothing is to be shed. */
  readonly usefulMs: number
  /** Whether it is time to try what an instance can do: its speed is only known for as many as it has been given. */
  readonly isProbe: boolean
}

// What an instance takes with nothing else to do, so many times over, is never too long.
const IDLE_TIMES_ALLOWED = 2.5

/**
 * Whether an invocation is forwarded now, waits or is rejected.
 *
 * | waiting | an instance can take it | its answer would be in time | verdict |
 * |---|---|---|---|
 * | nobody | yes | yes, or the instance has nothing to do | admitted |
 * | nobody | yes | no, on any | rejected: too late |
 * | somebody | any | yes | waits behind them: slots go in the order of arrival |
 * | nobody | no | yes | waits |
 * | any | no, or somebody waits | no | rejected: too late |
 * | the line is full | any | any | rejected: line full |
 *
 * In time is: within the useful time, or within a few times what the instance takes with nothing else to do. Where that is most
 * of the useful time, waiting is not to blame, and refusing all but one at a time would leave idle what works on many.
 *
 * A belief is never final: an instance with nothing to do takes everything, however slow it is believed to be, and now and
 * then one with work takes a probe.
 */
export function decideAdmission<I extends PredictableInstance>(
  instances: readonly I[],
  line: WaitingLine,
  rule: AdmissionRule,
  random: number,
): AdmissionVerdict<I> {
  if (line.waitingCount === 0) {
    const instance = chooseInstance(instances, rule, random)
    if (instance !== undefined) return judge(instance, instances, rule, random)
  }
  if (line.waitingCount >= line.waitingMax) return { kind: 'rejected', reason: 'line-full' }
  const unready = instances.every((instance) => instance.suspectUntilMs > rule.nowMs)
  if (unready) return { kind: 'waits', unready }
  const predictedMs = predictWithWaitMs(instances, line.waitingCount)
  const isLate = instances.every((instance) => predictedMs > allowedMs(instance, rule.usefulMs))
  if (isLate) return { kind: 'rejected', reason: 'too-late', predictedMs }
  return { kind: 'waits', unready }
}

function judge<I extends PredictableInstance>(
  chosen: I,
  instances: readonly I[],
  rule: AdmissionRule,
  random: number,
): AdmissionVerdict<I> {
  if (rule.isProbe || isTimely(chosen, rule.usefulMs)) return { kind: 'admitted', instance: chosen }
  const timely = instances.filter((instance) => isTimely(instance, rule.usefulMs))
  const instance = chooseInstance(timely, rule, random)
  if (instance !== undefined) return { kind: 'admitted', instance }
  const predictedMs = chosen.service.predictMs(chosen.outstandingCount)
  return { kind: 'rejected', reason: 'too-late', predictedMs }
}

/** Whether an invocation that has waited so long is answered in time when it is given to the instance now. */
export function isTimely(instance: PredictableInstance, usefulMs: number, waitedMs = 0): boolean {
  const { service, outstandingCount } = instance
  if (outstandingCount === 0) return true
  return waitedMs + service.predictMs(outstandingCount) <= allowedMs(instance, usefulMs)
}

function allowedMs({ service }: PredictableInstance, usefulMs: number): number {
  return Math.max(usefulMs, IDLE_TIMES_ALLOWED * service.idleMs)
}

// A full instance frees its slots evenly in the time one invocation takes; whoever waits gets the slot of one that
// is then full but for this one.
function predictWithWaitMs(
  instances: readonly PredictableInstance[],
  waitingCount: number,
): number {
  let slotsPerMs = 0
  let fullMs = 0
  for (const { service, slotCount } of instances) {
    const tookMs = service.predictMs(slotCount - 1)
    if (tookMs === 0) continue
    slotsPerMs += slotCount / tookMs
    fullMs = Math.max(fullMs, tookMs)
  }
  return slotsPerMs === 0 ? 0 : (waitingCount + 1) / slotsPerMs + fullMs
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
