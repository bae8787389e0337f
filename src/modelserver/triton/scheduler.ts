import { BatchCostModel, predictBatchMs } from '../../domain/batch-cost.ts'
import type { BatchCost } from '../../domain/batch-cost.ts'
import { decideBatch } from '../../domain/batching.ts'
import type { WaitingItem } from '../../domain/batching.ts'
import type { DynamicBatching, QueuePolicy } from '../../domain/dynamic-batch.ts'
import { choosePriority, decideDeadline, PriorityLine } from '../../domain/queue-policy.ts'
import type { FollowUpModel } from './backend.ts'
import { nowNs } from './clock.ts'
import { DispatchTimer } from './dispatch-timer.ts'
import { withRequestId } from './enqueued.ts'
import type { Enqueued } from './enqueued.ts'
import { OrderedAnswers } from './ordered-answers.ts'
import type { Seat, Turns } from './rate-limiter.ts'
import { runBatch } from './run-batch.ts'
import { cancelled, Drain, stopped } from './runner.ts'
import type { Runner } from './runner.ts'
import { ServingError } from './serving-error.ts'
import { shapeKeyOf } from './shape-key.ts'
import type { Statistics } from './statistics.ts'

/** What a scheduler needs. */
export interface SchedulerOptions {
  readonly seats: readonly Seat[]
  readonly turns: Turns
  /** Undefined: each request runs alone, first come, first served. */
  readonly batching: DynamicBatching | undefined
  readonly maxBatchSize: number
  /** Names of inputs whose shape may differ within a batch. */
  readonly raggedInputs: ReadonlySet<string>
  readonly statistics: Statistics
  /** Undefined: nothing is run before it is asked for. */
  readonly followUpModel: FollowUpModel | undefined
}

interface Ticket extends WaitingItem {
  readonly request: Enqueued
  readonly priority: number
  readonly queueStartNs: number
  readonly stopListening: () => void
}

const NO_POLICY: QueuePolicy = {
  timeoutAction: 'reject',
  defaultTimeoutMs: 0,
  canShorten: false,
  sizeMax: 0,
}
// In the order of arrival no cost is asked.
const NO_COST: BatchCost = { fixedMs: 0, perRowMs: 0, inflation: 1 }

/** The waiting line of one version of a model, and the instances that run what waits. */
export class Scheduler implements Runner {
  readonly #options: SchedulerOptions
  readonly #line: PriorityLine<Ticket>
  readonly #idle: Seat[]
  readonly #answers: OrderedAnswers | undefined
  readonly #timer = new DispatchTimer(() => this.#dispatch())
  readonly #drain = new Drain(() => this.outstandingCount)
  readonly #cost = new BatchCostModel()
  #runningCount = 0

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { batching, seats } = options
    this.#idle = [...seats]
    this.#answers = batching?.isOrderKept === true ? new OrderedAnswers() : undefined
    this.#line = new PriorityLine((priority) => {
      return batching?.policyByPriority.get(priority) ?? batching?.defaultPolicy ?? NO_POLICY
    })
  }

  /** Requests that wait or run. */
  get outstandingCount(): number {
    return this.#line.size + this.#runningCount
  }

  /** Takes a request. It is answered or fails, once. */
  enqueue(request: Enqueued): void {
    const { batching, statistics } = this.#options
    statistics.recordPending(1)
    if (this.#drain.isBegun) return this.#refuse(request, stopped())
    const levelCount = batching?.priorityLevelCount ?? 0
    const priority = choosePriority(request.priority, levelCount, batching?.defaultPriority ?? 0)
    if (this.#line.isFull(priority)) {
      const full = new ServingError('UNAVAILABLE', 'Exceeds maximum queue size', 'REJECTED')
      return this.#refuse(request, full)
    }
    const queueStartNs = nowNs()
    const enqueuedAtMs = queueStartNs / 1e6
    const ordered = this.#answers?.enter(request) ?? request
    const policy = this.#line.policyOf(priority)
    const ticket: Ticket = {
      request: ordered,
      priority,
      queueStartNs,
      enqueuedAtMs,
      deadlineAtMs: decideDeadline(policy, enqueuedAtMs, request.timeoutMs),
      rowCount: Math.max(1, request.batchSize),
      shapeKey:
        batching === undefined ? '' : shapeKeyOf(request.inputs, this.#options.raggedInputs),
      stopListening: () => request.signal.removeEventListener('abort', cancel),
    }
    const cancel = (): void => {
      if (this.#line.remove(ticket)) this.#refuse(ordered, cancelled())
    }
    if (request.signal.aborted) return this.#refuse(ordered, cancelled())
    request.signal.addEventListener('abort', cancel, { once: true })
    this.#line.add(ticket)
    if (this.#options.followUpModel?.hasKept(request) === true) this.#timer.afterThis()
    else this.#timer.soon()
  }

  foresee(rowCounts: readonly number[]): number | undefined {
    const { batching, maxBatchSize } = this.#options
    const [seat] = this.#idle
    if (seat === undefined || seat.limits.needs.length > 0) return undefined
    if (this.#drain.isBegun || this.#line.size > 0) return undefined
    const rowCount = rowCounts.reduce((sum, one) => sum + one, 0)
    if (batching === undefined) {
      if (rowCounts.length > 1) return undefined
    } else {
      const waiting = rowCounts.map((one) => {
        return { enqueuedAtMs: 0, deadlineAtMs: Infinity, rowCount: one, shapeKey: '' }
      })
      const { preferredSizes, queueDelayMs } = batching
      const arrivalOrder = { preferredSizes, queueDelayMs, nextDeadlineAtMs: Infinity }
      const limits = { rowsMax: Math.max(1, maxBatchSize), itemsMax: waiting.length, arrivalOrder }
      if (decideBatch(waiting, NO_COST, limits, 0).take.length < waiting.length) return undefined
    }
    const { fixedMs, perRowMs } = this.#cost
    const isKnown = fixedMs > 0 || perRowMs > 0
    return isKnown
      ? predictBatchMs({ fixedMs, perRowMs, inflation: 1 }, rowCount) * 1000
      : undefined
  }

  /** Takes no more requests; resolves when those that came have been answered. */
  drain(): Promise<void> {
    return this.#drain.begin()
  }

  #refuse(request: Enqueued, error: ServingError): void {
    const { statistics } = this.#options
    statistics.recordPending(-1)
    statistics.recordFailure(nowNs() - request.requestStartNs, error.reason)
    request.fail(withRequestId(request.id, error))
    this.#drain.settle()
  }

  #dispatch(): void {
    this.#timer.clear()
    for (;;) {
      const nowMs = nowNs() / 1e6
      for (const late of this.#line.expire(nowMs)) {
        late.stopListening()
        this.#refuse(late.request, timedOut())
      }
      const [seat] = this.#idle
      if (seat === undefined || this.#line.size === 0) break
      const { take, waitUntilMs } = this.#decide(nowMs)
      if (take.length === 0) {
        this.#timer.at(waitUntilMs ?? Infinity, nowMs)
        return
      }
      this.#idle.shift()
      if (this.#options.turns.enter(seat, () => this.#takeTurn(seat))) void this.#run(seat, take)
    }
    if (this.#line.size > 0) this.#timer.at(this.#line.nextDeadlineAtMs, nowNs() / 1e6)
  }

  #decide(nowMs: number): { take: readonly Ticket[]; waitUntilMs: number | undefined } {
    const { batching, maxBatchSize } = this.#options
    if (batching === undefined) return { take: this.#line.first(1), waitUntilMs: undefined }
    const rowsMax = Math.max(1, maxBatchSize)
    // One more than fit tells that a batch is full.
    const waiting = this.#line.first(rowsMax + 1)
    const { preferredSizes, queueDelayMs } = batching
    const nextDeadlineAtMs = this.#line.nextDeadlineAtMs
    const arrivalOrder = { preferredSizes, queueDelayMs, nextDeadlineAtMs }
    const limits = { rowsMax, itemsMax: waiting.length, arrivalOrder }
    const { take, waitUntilMs } = decideBatch(waiting, NO_COST, limits, nowMs)
    return { take: take.flatMap((index) => waiting[index] ?? []), waitUntilMs }
  }

  // The line may have changed since it asked for its turn.
  #takeTurn(seat: Seat): void {
    const { take } = this.#decide(nowNs() / 1e6)
    if (take.length > 0) void this.#run(seat, take)
    else this.#rise(seat)
  }

  async #run(seat: Seat, tickets: readonly Ticket[]): Promise<void> {
    this.#runningCount += tickets.length
    for (const ticket of tickets) {
      this.#line.remove(ticket)
      ticket.stopListening()
    }
    await runBatch(seat, tickets, this.#options.statistics)
    if (seat.lastRunUs > 0) {
      const rowCount = tickets.reduce((sum, ticket) => sum + ticket.rowCount, 0)
      this.#cost.record(rowCount, seat.lastRunUs / 1000)
    }
    this.#runningCount -= tickets.length
    this.#rise(seat)
    this.#drain.settle()
  }

  #rise(seat: Seat): void {
    this.#idle.push(seat)
    this.#options.turns.leave(seat, () => this.#dispatch())
  }
}

function timedOut(): ServingError {
  return new ServingError('UNAVAILABLE', 'Request timeout expired', 'REJECTED')
}
