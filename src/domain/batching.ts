import { predictBatchMs } from './batch-cost.ts'
import type { BatchCost } from './batch-cost.ts'
import { decideInOrder } from './dynamic-batch.ts'
import type { ArrivalOrder } from './dynamic-batch.ts'

/** One invocation that waits for a worker. Times are of one monotonic clock. */
export interface WaitingItem {
  readonly enqueuedAtMs: number
  /** When its answer is worth nothing any more; infinite when it never is. */
  readonly deadlineAtMs: number
  /** Rows it adds to a batch, ≥ 1. */
  readonly rowCount: number
  /** Only items of one shape can share a batch. */
  readonly shapeKey: string
}

/** Bounds of one batch. */
export interface BatchLimits {
  /** An item that has more rows by itself runs alone. */
  readonly rowsMax: number
  /** 1 for a model without a batch dimension. */
  readonly itemsMax: number
  /** Takes what waits in the order given, by these rules, instead of by deadline. */
  readonly arrivalOrder?: ArrivalOrder
}

/** Why an item is not worth running. */
export type ShedReason =
  /** Even alone and at once it would finish after its deadline. */
  | 'too-late'
  /** It would force a small batch, and will be too late once the larger one has run. */
  | 'passed-over'

/** What a worker that is free runs next. Indices are those of the waiting items. */
export interface BatchDecision {
  /** In the order of their deadlines; empty only when nothing that waits is feasible. */
  readonly take: readonly number[]
  readonly shed: readonly { readonly index: number; readonly reason: ShedReason }[]
  /** In the order of arrival only: nothing is taken before that time, unless more arrives. */
  readonly waitUntilMs?: number
}

// How many early deadlines are weighed against a larger batch, and how much more a batch must answer per
// millisecond to be worth them. Source: algorithms reference §5.3.
const PASSED_OVER_MAX = 32
const WORTHWHILE_GAIN = 1.15

/**
 * Decides what a worker that has become free runs: the largest batch of one shape that meets the earliest deadline
 * which can still be met.
 *
 * There is no timer: what waits now is taken now. Serving the earliest deadline at any price would be wrong under
 * overload: a head that is nearly late allows a batch of one, which lowers throughput, which makes the next head nearly
 * late (18 % of the load answered in time at 1.3× capacity; 66 % when such heads are passed over). Hence:
 *
 * ```text
 * l(b) = 3 + b ms, now 0, deadlines 4, 40, 40, 40 → the first alone: 1 in 4 ms; without it: 3 in 6 ms, 2× the rate:
 * take the last three, shed the first as passed over, for at 6 ms it is too late.
 * ```
 */
export function decideBatch(
  waiting: readonly WaitingItem[],
  cost: BatchCost,
  limits: BatchLimits,
  nowMs: number,
): BatchDecision {
  if (limits.arrivalOrder !== undefined) return takeInOrder(waiting, limits, nowMs)
  const all = takeAll(waiting, cost, limits, nowMs)
  if (all !== undefined) return all

  const view = { waiting, cost, limits, nowMs }
  const shed: { index: number; reason: ShedReason }[] = []
  const feasible: number[] = []
  for (const [index, item] of waiting.entries()) {
    if (isFeasible(item, cost, nowMs)) feasible.push(index)
    else shed.push({ index, reason: 'too-late' })
  }
  const [first] = feasible.sort((a, b) => deadlineOf(view, a) - deadlineOf(view, b))
  if (first === undefined) return { take: [], shed }
  const shapeKey = waiting[first]?.shapeKey
  const ofShape = feasible.filter((index) => waiting[index]?.shapeKey === shapeKey)
  const best = chooseBatch(ofShape, view)
  const endMs = nowMs + predictBatchMs(cost, best.rowCount)
  for (const index of ofShape.slice(0, best.from)) {
    const item = waiting[index]
    if (item !== undefined && !isFeasible(item, cost, endMs)) {
      shed.push({ index, reason: 'passed-over' })
    }
  }
  return { take: best.take, shed }
}

function takeInOrder(
  waiting: readonly WaitingItem[],
  { rowsMax, itemsMax, arrivalOrder }: BatchLimits,
  nowMs: number,
): BatchDecision {
  if (arrivalOrder === undefined) return { take: [], shed: [] }
  const decision = decideInOrder(waiting.slice(0, itemsMax), rowsMax, arrivalOrder, nowMs)
  if (decision.kind === 'wait') return { take: [], shed: [], waitUntilMs: decision.untilMs }
  return { take: Array.from({ length: decision.count }, (_none, index) => index), shed: [] }
}

interface View {
  readonly waiting: readonly WaitingItem[]
  readonly cost: BatchCost
  readonly limits: BatchLimits
  readonly nowMs: number
}

interface Batch {
  /** How many earlier deadlines it passes over. */
  readonly from: number
  readonly take: readonly number[]
  readonly rowCount: number
  /** A later deadline would have let it be larger. */
  readonly isCut: boolean
}

// Nearly every decision: few wait, all of one shape, and all fit. One pass, nothing sorted.
function takeAll(
  waiting: readonly WaitingItem[],
  cost: BatchCost,
  limits: BatchLimits,
  nowMs: number,
): BatchDecision | undefined {
  const [first] = waiting
  if (first === undefined) return { take: [], shed: [] }
  if (waiting.length > limits.itemsMax) return undefined
  let rowCount = 0
  let earliestMs = Infinity
  let isSorted = true
  let previousMs = -Infinity
  for (const item of waiting) {
    if (item.shapeKey !== first.shapeKey) return undefined
    rowCount += item.rowCount
    if (item.deadlineAtMs < previousMs) isSorted = false
    previousMs = item.deadlineAtMs
    if (item.deadlineAtMs < earliestMs) earliestMs = item.deadlineAtMs
  }
  if (!isSorted || (rowCount > limits.rowsMax && waiting.length > 1)) return undefined
  if (nowMs + predictBatchMs(cost, rowCount) > earliestMs) return undefined
  return { take: waiting.map((_item, index) => index), shed: [] }
}

// `ofShape` is feasible, of one shape, in the order of deadlines, and not empty.
function chooseBatch(ofShape: readonly number[], view: View): Batch {
  let best = batchFrom(0, ofShape, view)
  let bestRate = rateOf(best, view)
  const lastFrom = Math.min(PASSED_OVER_MAX, ofShape.length - 1)
  // Only a deadline that cuts the batch short may be sacrificed for a larger one.
  for (let from = 1; best.isCut && from <= lastFrom; from += 1) {
    const batch = batchFrom(from, ofShape, view)
    const rate = rateOf(batch, view)
    if (rate > WORTHWHILE_GAIN * bestRate) {
      best = batch
      bestRate = rate
    }
  }
  return best
}

// The deadlines that follow are later, so the first one bounds the whole batch.
function batchFrom(from: number, ofShape: readonly number[], view: View): Batch {
  const { waiting, cost, limits, nowMs } = view
  const first = ofShape[from] ?? -1
  const take = [first]
  let rowCount = waiting[first]?.rowCount ?? 0
  const deadlineAtMs = deadlineOf(view, first)
  for (let at = from + 1; at < ofShape.length && take.length < limits.itemsMax; at += 1) {
    const index = ofShape[at] ?? -1
    const grownCount = rowCount + (waiting[index]?.rowCount ?? 0)
    if (grownCount > limits.rowsMax) break
    if (nowMs + predictBatchMs(cost, grownCount) > deadlineAtMs) {
      return { from, take, rowCount, isCut: true }
    }
    take.push(index)
    rowCount = grownCount
  }
  return { from, take, rowCount, isCut: false }
}

function rateOf({ take, rowCount }: Batch, { cost }: View): number {
  return take.length / Math.max(predictBatchMs(cost, rowCount), Number.EPSILON)
}

function isFeasible(item: WaitingItem, cost: BatchCost, nowMs: number): boolean {
  return nowMs + predictBatchMs(cost, item.rowCount) <= item.deadlineAtMs
}

function deadlineOf({ waiting }: View, index: number): number {
  return waiting[index]?.deadlineAtMs ?? Infinity
}
