import type { ServedVersion } from '../served-version.ts'
import type { RequestTrace } from '../trace/request-trace.ts'
import type { Tracing } from '../trace/tracing.ts'

/**
 * A trace for a request that came over gRPC, if it is its turn.
 *
 * The library tells of a request when it is whole: waiting for it begins and ends then, where Triton says since when a handler was idle.
 */
export function sampleGrpc(
  tracing: Tracing,
  { name }: Pick<ServedVersion, 'name'>,
  receivedNs: number,
): RequestTrace | undefined {
  const trace = tracing.sample(name)
  trace?.recordTime('GRPC_WAITREAD_START', receivedNs)
  trace?.recordTime('GRPC_WAITREAD_END', receivedNs)
  return trace
}

/** Records when an answer was handed over. */
export function recordSent(trace: RequestTrace | undefined, startNs: number, endNs: number): void {
  trace?.recordTime('GRPC_SEND_START', startNs)
  trace?.recordTime('GRPC_SEND_END', endNs)
}
