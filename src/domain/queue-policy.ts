import type { QueuePolicy } from './dynamic-batch.ts'

/** A request in a line of priorities. Times are of one monotonic clock. */
export interface QueuedItem {
  readonly enqueuedAtMs: number
  /** Level it waits in; 0 where there are no levels. */
  readonly priority: number
  /** When it has waited too long; infinite for never. */
  readonly deadlineAtMs: number
}

/**
 * Decides when a request has waited too long. It may shorten its time, never lengthen it, and where the policy has none it
 * cannot set one. Source: reference §6.2.
 */
export function decideDeadline(
  policy: QueuePolicy,
  enqueuedAtMs: number,
  requestTimeoutMs: number,
): number {
  const { defaultTimeoutMs, canShorten } = policy
  if (defaultTimeoutMs === 0) return Infinity
  const isShorter = canShorten && requestTimeoutMs > 0 && requestTimeoutMs < defaultTimeoutMs
  return enqueuedAtMs + (isShorter ? requestTimeoutMs : defaultTimeoutMs)
}

/** The level of a request: its own where there is such a level, else the default one. */
export function choosePriority(given: number, levelCount: number, defaultPriority: number): number {
  if (levelCount === 0) return 0
  return Number.isInteger(given) && given >= 1 && given <= levelCount ? given : defaultPriority
}

interface Level<T> {
  readonly policy: QueuePolicy
  readonly inTime: Set<T>
  /** Too late, and served all the same, after those in time. */
  readonly delayed: Set<T>
}

/** Requests that wait, the highest priority first; within a level those in time first, each in the order of arrival. */
export class PriorityLine<T extends QueuedItem> {
  readonly #policyOf: (priority: number) => QueuePolicy
  readonly #levels = new Map<number, Level<T>>()
  #order: readonly Level<T>[] = []
  #nextDeadlineAtMs = Infinity

  constructor(policyOf: (priority: number) => QueuePolicy) {
    this.#policyOf = policyOf
  }

  get size(): number {
    return this.#order.reduce((sum, { inTime, delayed }) => sum + inTime.size + delayed.size, 0)
  }

  /** The earliest deadline of those in time, or an earlier time; infinite when there is none. */
  get nextDeadlineAtMs(): number {
    return this.#nextDeadlineAtMs
  }

  policyOf(priority: number): QueuePolicy {
    return this.#policyOf(priority)
  }

  isFull(priority: number): boolean {
    const level = this.#levels.get(priority)
    const { sizeMax } = this.#policyOf(priority)
    return sizeMax > 0 && level !== undefined && level.inTime.size + level.delayed.size >= sizeMax
  }

  add(item: T): void {
    this.#levelOf(item.priority).inTime.add(item)
    if (item.deadlineAtMs < this.#nextDeadlineAtMs) this.#nextDeadlineAtMs = item.deadlineAtMs
  }

  /** @returns whether it was waiting. */
  remove(item: T): boolean {
    const level = this.#levels.get(item.priority)
    return level !== undefined && (level.inTime.delete(item) || level.delayed.delete(item))
  }

  /** Takes out those that have waited too long, and puts aside those that are served late. */
  expire(nowMs: number): readonly T[] {
    if (nowMs < this.#nextDeadlineAtMs) return []
    const rejected: T[] = []
    let nextDeadlineAtMs = Infinity
    for (const { policy, inTime, delayed } of this.#order) {
      for (const item of inTime) {
        if (item.deadlineAtMs > nowMs) {
          nextDeadlineAtMs = Math.min(nextDeadlineAtMs, item.deadlineAtMs)
          continue
        }
        inTime.delete(item)
        if (policy.timeoutAction === 'delay') delayed.add(item)
        else rejected.push(item)
      }
    }
    this.#nextDeadlineAtMs = nextDeadlineAtMs
    return rejected
  }

  /** The first of those that wait, at most so many. */
  first(countMax: number): readonly T[] {
    const items: T[] = []
    for (const { inTime, delayed } of this.#order) {
      for (const list of [inTime, delayed]) {
        for (const item of list) {
          if (items.length >= countMax) return items
          items.push(item)
        }
      }
    }
    return items
  }

  #levelOf(priority: number): Level<T> {
    const existing = this.#levels.get(priority)
    if (existing !== undefined) return existing
    const level = { policy: this.#policyOf(priority), inTime: new Set<T>(), delayed: new Set<T>() }
    this.#levels.set(priority, level)
    const priorities = [...this.#levels.keys()].toSorted((a, b) => a - b)
    this.#order = priorities.flatMap((one) => this.#levels.get(one) ?? [])
    return level
  }
}
