import type { ExecutionTimes, InferenceRequest, InferenceResponse, NextRuns } from './backend.ts'
import { ServingError } from './serving-error.ts'
import type { RequestTrace } from './trace/request-trace.ts'

/** A request in front of its model's scheduler, already checked against the config. */
export interface Enqueued extends Omit<InferenceRequest, 'respond' | 'fail'> {
  readonly requestStartNs: number
  /** Told after the answer, when it was run. */
  readonly onExecuted?: ((times: ExecutionTimes) => void) | undefined
  /** What is recorded of it, if anything; steps of an ensemble are its children. */
  readonly trace: RequestTrace | undefined
  /** What an ensemble runs next with its outputs; undefined when that is open. */
  readonly followUps?: NextRuns | undefined
  respond(response: InferenceResponse, isFinal: boolean): void
  fail(error: ServingError): void
}

/** Names the request in front of what went wrong with it, as Triton does. */
export function withRequestId(id: string, { code, message, reason }: ServingError): ServingError {
  const shown = id === '' ? '<id_unknown>' : id
  return new ServingError(code, `[request id: ${shown}] ${message}`, reason)
}
