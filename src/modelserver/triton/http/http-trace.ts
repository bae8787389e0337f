import type { ServedVersion } from '../served-version.ts'
import type { RequestTrace } from '../trace/request-trace.ts'
import type { Tracing } from '../trace/tracing.ts'
import type { HttpCall, HttpReply } from './http-call.ts'

/** A trace for a request that came over HTTP, if it is its turn. */
export function sampleHttp(
  tracing: Tracing,
  { name }: Pick<ServedVersion, 'name'>,
  { received }: Pick<HttpCall, 'received'>,
): RequestTrace | undefined {
  const trace = tracing.sample(name)
  trace?.recordTime('HTTP_RECV_START', received.startNs)
  trace?.recordTime('HTTP_RECV_END', received.endNs)
  return trace
}

/** Holds a trace until the reply has been sent, or cannot be made. */
export async function traceReply(
  trace: RequestTrace | undefined,
  reply: () => Promise<HttpReply>,
): Promise<HttpReply> {
  if (trace === undefined) return reply()
  try {
    const onSent = (startNs: number, endNs: number): void => {
      trace.recordTime('HTTP_SEND_START', startNs)
      trace.recordTime('HTTP_SEND_END', endNs)
      trace.release()
    }
    return { ...(await reply()), onSent }
  } catch (error) {
    trace.release()
    throw error
  }
}
