import type { ExecutionTimes, FollowUp, InferenceRequest } from './backend.ts'
import { nowNs } from './clock.ts'
import type { Enqueued } from './enqueued.ts'
import type { Seat } from './rate-limiter.ts'
import { toServingError } from './serving-error.ts'
import type { ServingError } from './serving-error.ts'
import type { Statistics } from './statistics.ts'

/** A request that is part of a batch. */
export interface BatchEntry {
  readonly request: Enqueued
  readonly queueStartNs: number
  /** Nobody waits for it: it only keeps a row of the batch. */
  readonly isFiller?: boolean
}

/**
 * Runs requests as one batch on an instance, and records what became of them. Never rejects.
 *
 * A request of a decoupled model may be answered to the end long after its batch has run: it counts when it is.
 */
export async function runBatch(
  seat: Seat,
  entries: readonly BatchEntry[],
  statistics: Statistics,
): Promise<void> {
  seat.executionCount += 1
  const runs = entries.map((entry) => new RunEntry(entry, statistics))
  const rowCounts = entries.map(({ request }) => Math.max(1, request.batchSize))
  const rowCount = rowCounts.reduce((sum, one) => sum + one, 0)
  const followUps = chooseFollowUps(entries, rowCounts)
  seat.polling?.begin(seat.lastRunUs)
  const times = await seat.instance.execute(
    runs.map(({ request }) => request),
    followUps,
  )
  seat.polling?.end()
  seat.lastRunUs = (times.outputStartNs - times.inputEndNs) / 1000
  const answered = runs.filter(({ isAnswered }) => isAnswered)
  if (answered.length > 0) {
    statistics.recordExecution(times, rowCount)
  }
  for (const run of answered) run.executed(times)
}

// Only of a batch that goes the same way as a whole.
function chooseFollowUps(
  entries: readonly BatchEntry[],
  rowCounts: readonly number[],
): readonly FollowUp[] {
  const followUps = entries[0]?.request.followUps
  if (followUps === undefined) return []
  if (entries.some(({ request }) => request.followUps !== followUps)) return []
  return followUps.choose(rowCounts)
}

/** One request of a batch while it is run and answered. */
class RunEntry {
  readonly request: InferenceRequest
  readonly #entry: BatchEntry
  readonly #statistics: Statistics
  #state: 'open' | 'over' | 'failed' = 'open'
  #times: ExecutionTimes | undefined

  constructor(entry: BatchEntry, statistics: Statistics) {
    this.#entry = entry
    this.#statistics = statistics
    const { request } = entry
    if (entry.isFiller === true) {
      this.request = request
      return
    }
    statistics.recordPending(-1)
    this.request = {
      ...request,
      respond: (response, isFinal) => {
        request.respond(response, isFinal)
        if (isFinal) this.#over()
      },
      fail: (error) => this.#fail(toServingError(error)),
    }
  }

  /** Whether somebody waited for it and it has not failed. */
  get isAnswered(): boolean {
    return this.#entry.isFiller !== true && this.#state !== 'failed'
  }

  /** Its batch has run. */
  executed(times: ExecutionTimes): void {
    this.#times = times
    if (this.#state === 'over') this.#succeed(times, times.computeEndNs)
  }

  #over(): void {
    this.#state = 'over'
    if (this.#times !== undefined) this.#succeed(this.#times, nowNs())
  }

  #fail(failure: ServingError): void {
    this.#state = 'failed'
    const { request } = this.#entry
    const reason = failure.reason === 'OTHER' ? 'BACKEND' : failure.reason
    this.#statistics.recordFailure(nowNs() - request.requestStartNs, reason)
    request.fail(failure)
  }

  #succeed(times: ExecutionTimes, requestEndNs: number): void {
    const { request, queueStartNs } = this.#entry
    const { requestStartNs, batchSize } = request
    const whole = { ...times, requestStartNs, queueStartNs, requestEndNs }
    this.#statistics.recordSuccess(whole, batchSize)
    request.onExecuted?.(times)
  }
}
