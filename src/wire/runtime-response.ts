/** What the reply to an invocation says beside its body. */
export interface InvocationReply {
  readonly requestId: string
  readonly variantName: string
  /** The container's own reply headers, verbatim; undefined where it set none. */
  readonly contentType: string | undefined
  readonly customAttributes: string | undefined
  readonly newSessionId?: string | undefined
  readonly closedSessionId?: string | undefined
}

/** Content type of a response stream. */
export const EVENT_STREAM_TYPE = 'application/vnd.amazon.eventstream'

/**
 * Headers of a successful InvokeEndpoint. Other headers of the container do not pass.
 *
 * Source: data-plane reference §2.2.
 */
export function invocationHeaders(reply: InvocationReply): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {
    'x-amzn-RequestId': reply.requestId,
    'x-Amzn-Invoked-Production-Variant': reply.variantName,
  }
  const { contentType, customAttributes, newSessionId, closedSessionId } = reply
  if (contentType !== undefined) headers['Content-Type'] = contentType
  if (customAttributes !== undefined) {
    headers['X-Amzn-SageMaker-Custom-Attributes'] = customAttributes
  }
  if (newSessionId !== undefined) headers['X-Amzn-SageMaker-New-Session-Id'] = newSessionId
  if (closedSessionId !== undefined) headers['X-Amzn-SageMaker-Closed-Session-Id'] = closedSessionId
  return headers
}

/**
 * Headers of a successful InvokeEndpointWithResponseStream: the container's content type moves aside, and there are
 * no session headers.
 *
 * Source: data-plane reference §3.2.
 */
export function streamHeaders(reply: InvocationReply): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {
    'x-amzn-RequestId': reply.requestId,
    'x-Amzn-Invoked-Production-Variant': reply.variantName,
    'Content-Type': EVENT_STREAM_TYPE,
  }
  const { contentType, customAttributes } = reply
  if (contentType !== undefined) headers['X-Amzn-SageMaker-Content-Type'] = contentType
  if (customAttributes !== undefined) {
    headers['X-Amzn-SageMaker-Custom-Attributes'] = customAttributes
  }
  return headers
}
