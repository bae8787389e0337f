import type { BatchCost } from '../../domain/batch-cost.ts'
import { decideBatch } from '../../domain/batching.ts'
import type { WaitingItem } from '../../domain/batching.ts'
import type { DynamicBatching, QueuePolicy } from '../../domain/dynamic-batch.ts'
import { choosePriority, decideDeadline, PriorityLine } from '../../domain/queue-policy.ts'
import type { InferenceRequest, ModelInstance } from './backend.ts'
import { nowNs } from './clock.ts'
import { withRequestId } from './enqueued.ts'
import type { Enqueued } from './enqueued.ts'
import { OrderedAnswers } from './ordered-answers.ts'
import { ServingError, toServingError } from './serving-error.ts'
import type { Statistics } from './statistics.ts'

/** What a scheduler needs. */
export interface SchedulerOptions {
  readonly instances: readonly ModelInstance[]
  /** Undefined: each request runs alone, first come, first served. */
  readonly batching: DynamicBatching | undefined
  readonly maxBatchSize: number
  readonly statistics: Statistics
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
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #line: PriorityLine<Ticket>
  readonly #idle: ModelInstance[]
  readonly #answers: OrderedAnswers | undefined
  #runningCount = 0
  #timer: NodeJS.Timeout | undefined
  #isSoon = false
  #isStopped = false
  #whenQuiet: (() => void)[] = []

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { batching, instances } = options
    this.#idle = [...instances]
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
    if (this.#isStopped) return this.#refuse(request, stopped())
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
      shapeKey: batching === undefined ? '' : shapeKeyOf(request),
      stopListening: () => request.signal.removeEventListener('abort', cancel),
    }
    const cancel = (): void => {
      if (this.#line.remove(ticket)) this.#refuse(ordered, cancelled())
    }
    if (request.signal.aborted) return this.#refuse(ordered, cancelled())
    request.signal.addEventListener('abort', cancel, { once: true })
    this.#line.add(ticket)
    this.#dispatchSoon()
  }

  /** Takes no more requests; resolves when those that came have been answered. */
  async drain(): Promise<void> {
    this.#isStopped = true
    if (this.outstandingCount > 0) {
      await new Promise<void>((resolve) => this.#whenQuiet.push(resolve))
    }
  }

  #refuse(request: Enqueued, error: ServingError): void {
    const { statistics } = this.#options
    statistics.recordPending(-1)
    statistics.recordFailure(nowNs() - request.requestStartNs, error.reason)
    request.fail(withRequestId(request.id, error))
    this.#resolveWhenQuiet()
  }

  // After all sockets that were readable have been read, so that what arrived together can run together.
  #dispatchSoon(): void {
    if (this.#isSoon) return
    this.#isSoon = true
    setImmediate(() => {
      this.#isSoon = false
      this.#dispatch()
    })
  }

  #dispatch(): void {
    clearTimeout(this.#timer)
    for (;;) {
      const nowMs = nowNs() / 1e6
      for (const late of this.#line.expire(nowMs)) {
        late.stopListening()
        this.#refuse(late.request, timedOut())
      }
      const instance = this.#idle[0]
      if (instance === undefined || this.#line.size === 0) break
      const { take, waitUntilMs } = this.#decide(nowMs)
      if (take.length === 0) {
        this.#wakeAt(waitUntilMs ?? Infinity, nowMs)
        return
      }
      this.#idle.shift()
      void this.#run(instance, take)
    }
    if (this.#line.size > 0) this.#wakeAt(this.#line.nextDeadlineAtMs, nowNs() / 1e6)
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

  // Timers are of whole milliseconds and may be early by a fraction; what remains is spun through the event loop.
  #wakeAt(atMs: number, nowMs: number): void {
    if (atMs === Infinity) return
    if (atMs - nowMs < 1) this.#dispatchSoon()
    else this.#timer = setTimeout(() => this.#dispatch(), Math.min(atMs - nowMs, 2 ** 31 - 1))
  }

  async #run(instance: ModelInstance, tickets: readonly Ticket[]): Promise<void> {
    const { statistics } = this.#options
    this.#runningCount += tickets.length
    const failed = new Set<Ticket>()
    const requests = tickets.map((ticket): InferenceRequest => {
      this.#line.remove(ticket)
      ticket.stopListening()
      statistics.recordPending(-1)
      const { request } = ticket
      return {
        ...request,
        respond: (response, isFinal) => request.respond(response, isFinal),
        fail: (error) => {
          failed.add(ticket)
          const failure = toServingError(error)
          const reason = failure.reason === 'OTHER' ? 'BACKEND' : failure.reason
          statistics.recordFailure(nowNs() - request.requestStartNs, reason)
          request.fail(failure)
        },
      }
    })
    const times = await instance.execute(requests)
    const answered = tickets.filter((ticket) => !failed.has(ticket))
    if (answered.length > 0) {
      statistics.recordExecution(
        times,
        tickets.reduce((sum, { rowCount }) => sum + rowCount, 0),
      )
    }
    for (const { request, queueStartNs } of answered) {
      const { requestStartNs, batchSize } = request
      const requestEndNs = times.computeEndNs
      statistics.recordSuccess({ ...times, requestStartNs, queueStartNs, requestEndNs }, batchSize)
      request.onExecuted?.(times)
    }
    this.#runningCount -= tickets.length
    this.#idle.push(instance)
    this.#dispatch()
    this.#resolveWhenQuiet()
  }

  #resolveWhenQuiet(): void {
    if (this.#isStopped && this.outstandingCount === 0) {
      for (const resolve of this.#whenQuiet.splice(0)) resolve()
    }
  }
}

// Equal for requests whose rows may follow each other in one tensor.
function shapeKeyOf({ inputs }: Enqueued): string {
  return inputs.map(({ name, shape }) => `${name}:${shape.slice(1).join(',')}`).join(';')
}

function stopped(): ServingError {
  return new ServingError(
    'UNAVAILABLE',
    'Server is stopping, scheduler for model has stopped accepting new inference requests',
    'REJECTED',
  )
}

function cancelled(): ServingError {
  return new ServingError('CANCELLED', 'request cancelled', 'CANCELED')
}

function timedOut(): ServingError {
  return new ServingError('UNAVAILABLE', 'Request timeout expired', 'REJECTED')
}
