import { decideInOrder } from './dynamic-batch.ts'
import type { QueuedRows } from './dynamic-batch.ts'

/** How requests of different sequences become one batch. */
export type SequenceStrategy =
  /** Each sequence has its row of the batch, as long as it lasts. */
  | {
      readonly kind: 'direct'
      /** Share of the slots that must have a request, unless the delay has passed; 0 for any. */
      readonly minimumUtilization: number
      readonly queueDelayMs: number
    }
  /** Those that have waited longest, in any row. */
  | {
      readonly kind: 'oldest'
      readonly preferredSizes: readonly number[]
      readonly queueDelayMs: number
    }

/** Either these slots, in the order of the batch's rows, or nothing before that time. */
export type SequenceDecision =
  | { readonly kind: 'take'; readonly rows: readonly SequenceRow[] }
  | { readonly kind: 'wait'; readonly untilMs: number }

/** One row of a batch: a slot's next request, or nothing but its place. */
export interface SequenceRow {
  readonly slot: number
  readonly isReady: boolean
}

/** What may be in a batch. */
export interface SequenceLimits {
  /** Slots of the instance. */
  readonly slotCount: number
  readonly rowsMax: number
}

const NOTHING: SequenceDecision = { kind: 'wait', untilMs: Infinity }

/**
 * Decides which slots' next requests a free instance runs together.
 *
 * ```text
 * direct, slots a · c: rows a (ready), · (not ready), c (ready)      oldest, a waits since 5, c since 3: rows c, a
 * ```
 */
export function decideSequenceBatch(
  heads: readonly (QueuedRows | undefined)[],
  strategy: SequenceStrategy,
  limits: SequenceLimits,
  nowMs: number,
): SequenceDecision {
  return strategy.kind === 'direct'
    ? decideDirect(heads, strategy, limits, nowMs)
    : decideOldest(heads, strategy, limits, nowMs)
}

// The first that waits says which shape the batch has; others keep their place and wait for the next one.
function decideDirect(
  heads: readonly (QueuedRows | undefined)[],
  { minimumUtilization, queueDelayMs }: Extract<SequenceStrategy, { kind: 'direct' }>,
  { slotCount }: SequenceLimits,
  nowMs: number,
): SequenceDecision {
  const present = heads.filter((head) => head !== undefined)
  const [first] = present
  if (first === undefined) return NOTHING
  if (queueDelayMs > 0 && minimumUtilization > 0) {
    const overdueAtMs = oldestOf(present) + queueDelayMs
    const isUtilized = present.length / slotCount >= minimumUtilization
    if (!isUtilized && nowMs < overdueAtMs) return { kind: 'wait', untilMs: overdueAtMs }
  }
  const rows = heads.map((head, slot) => ({ slot, isReady: head?.shapeKey === first.shapeKey }))
  return { kind: 'take', rows: rows.slice(0, rows.findLastIndex(({ isReady }) => isReady) + 1) }
}

function decideOldest(
  heads: readonly (QueuedRows | undefined)[],
  { preferredSizes, queueDelayMs }: Extract<SequenceStrategy, { kind: 'oldest' }>,
  { rowsMax }: SequenceLimits,
  nowMs: number,
): SequenceDecision {
  const candidates = heads
    .flatMap((head, slot) => (head === undefined ? [] : { ...head, slot }))
    .toSorted((a, b) => a.enqueuedAtMs - b.enqueuedAtMs)
  const order = { preferredSizes, queueDelayMs, nextDeadlineAtMs: Infinity }
  const decision = decideInOrder(candidates, rowsMax, order, nowMs)
  if (decision.kind === 'wait') return decision
  const taken = candidates.slice(0, decision.count)
  return { kind: 'take', rows: taken.map(({ slot }) => ({ slot, isReady: true })) }
}

function oldestOf(items: readonly QueuedRows[]): number {
  return items.reduce((oldest, { enqueuedAtMs }) => Math.min(oldest, enqueuedAtMs), Infinity)
}
