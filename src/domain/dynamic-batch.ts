/** How a model's waiting requests become batches, in the order in which they wait. */
export interface DynamicBatching {
  /** Sizes that the model likes, ≥ 1. Never empty for a model with a batch dimension. */
  readonly preferredSizes: readonly number[]
  /** How long the oldest may wait for others to come. */
  readonly queueDelayMs: number
  /** Answers leave in the order in which their requests came. */
  readonly isOrderKept: boolean
  /** 0: requests have no priority; else 1 to so many, 1 the highest. */
  readonly priorityLevelCount: number
  readonly defaultPriority: number
  readonly defaultPolicy: QueuePolicy
  readonly policyByPriority: ReadonlyMap<number, QueuePolicy>
}

/** What may wait in one level of a queue, and for how long. */
export interface QueuePolicy {
  /** What becomes of a request that waited too long: refused, or served after all others of its level. */
  readonly timeoutAction: 'reject' | 'delay'
  /** 0: a request waits as long as it takes. */
  readonly defaultTimeoutMs: number
  /** A request may ask for less. */
  readonly canShorten: boolean
  /** 0: any number. */
  readonly sizeMax: number
}

/** Rules for taking requests in the order in which they wait. */
export interface ArrivalOrder {
  readonly preferredSizes: readonly number[]
  readonly queueDelayMs: number
  /** When the first of all that wait for their deadline gives up waiting; infinite for never. */
  readonly nextDeadlineAtMs: number
}

/** What the decision needs to know of a request that waits. */
export interface QueuedRows {
  readonly enqueuedAtMs: number
  readonly rowCount: number
  readonly shapeKey: string
}

/** Either so many from the front at once, or nothing before that time. */
export type ArrivalDecision =
  | { readonly kind: 'take'; readonly count: number }
  | { readonly kind: 'wait'; readonly untilMs: number }

/**
 * Decides how many requests from the front of a line an idle instance runs together, or until when it waits for more.
 *
 * Nothing is reordered: another shape, or a request that does not fit any more, ends the batch. Of what fits, the largest
 * preferred size is taken; if there is none, everything once the oldest has waited long enough. Source: Triton's
 * dynamic batcher, reference §6.3, with the difference that a batch is formed when an instance is free to run it.
 *
 * ```text
 * preferred 4, 8; 10 of one row wait → 8    preferred 4, 8; 3 wait, delay 1 ms → wait; after 1 ms → 3
 * ```
 */
export function decideInOrder(
  waiting: readonly QueuedRows[],
  rowsMax: number,
  { preferredSizes, queueDelayMs, nextDeadlineAtMs }: ArrivalOrder,
  nowMs: number,
): ArrivalDecision {
  const front = measureFront(waiting, rowsMax, preferredSizes)
  if (front.count === 0) return { kind: 'wait', untilMs: Infinity }
  const oldestAtMs = waiting.reduce((oldest, one) => Math.min(oldest, one.enqueuedAtMs), Infinity)
  const isOverdue = nowMs - oldestAtMs >= queueDelayMs
  // With no delay "overdue" is always so, and a preferred size still comes first.
  if (front.preferredCount > 0 && (queueDelayMs === 0 || !isOverdue)) {
    return { kind: 'take', count: front.preferredCount }
  }
  const isWhole = front.isCut || front.rowCount >= Math.max(1, ...preferredSizes)
  if (isOverdue || isWhole) return { kind: 'take', count: front.count }
  return { kind: 'wait', untilMs: Math.min(oldestAtMs + queueDelayMs, nextDeadlineAtMs) }
}

interface Front {
  /** How many from the front fit into one batch. */
  readonly count: number
  readonly rowCount: number
  /** How many make the largest preferred size; 0 for none. */
  readonly preferredCount: number
  /** The next one does not fit, so waiting would gain nothing. */
  readonly isCut: boolean
}

function measureFront(
  waiting: readonly QueuedRows[],
  rowsMax: number,
  preferredSizes: readonly number[],
): Front {
  let rowCount = 0
  let preferredCount = 0
  let count = 0
  for (const item of waiting) {
    const isFirst = count === 0
    const grownCount = rowCount + item.rowCount
    const fits = grownCount <= rowsMax && item.shapeKey === waiting[0]?.shapeKey
    if (!isFirst && !fits) return { count, rowCount, preferredCount, isCut: true }
    count += 1
    rowCount = grownCount
    if (preferredSizes.includes(rowCount)) preferredCount = count
  }
  return { count, rowCount, preferredCount, isCut: false }
}
