import type { InferenceRequest } from './backend.ts'
import { nowNs } from './clock.ts'
import type { Enqueued } from './enqueued.ts'
import type { Seat } from './rate-limiter.ts'
import { toServingError } from './serving-error.ts'
import type { Statistics } from './statistics.ts'

/** A request that is part of a batch. */
export interface BatchEntry {
  readonly request: Enqueued
  readonly queueStartNs: number
  /** Nobody waits for it: it only keeps a row of the batch. */
  readonly isFiller?: boolean
}

/** Runs requests as one batch on an instance, and records what became of them. Never rejects. */
export async function runBatch(
  seat: Seat,
  entries: readonly BatchEntry[],
  statistics: Statistics,
): Promise<void> {
  const failed = new Set<BatchEntry>()
  seat.executionCount += 1
  const requests = entries.map((entry): InferenceRequest => {
    const { request } = entry
    if (entry.isFiller === true) return request
    statistics.recordPending(-1)
    return {
      ...request,
      respond: (response, isFinal) => request.respond(response, isFinal),
      fail: (error) => {
        failed.add(entry)
        const failure = toServingError(error)
        const reason = failure.reason === 'OTHER' ? 'BACKEND' : failure.reason
        statistics.recordFailure(nowNs() - request.requestStartNs, reason)
        request.fail(failure)
      },
    }
  })
  seat.polling?.begin(seat.lastRunUs)
  const times = await seat.instance.execute(requests)
  seat.polling?.end()
  seat.lastRunUs = (times.outputStartNs - times.inputEndNs) / 1000
  const answered = entries.filter((entry) => entry.isFiller !== true && !failed.has(entry))
  if (answered.length > 0) {
    const rowCount = entries.reduce((sum, { request }) => sum + Math.max(1, request.batchSize), 0)
    statistics.recordExecution(times, rowCount)
  }
  for (const { request, queueStartNs } of answered) {
    const { requestStartNs, batchSize } = request
    const requestEndNs = times.computeEndNs
    statistics.recordSuccess({ ...times, requestStartNs, queueStartNs, requestEndNs }, batchSize)
    request.onExecuted?.(times)
  }
}
