/** Operations of the runtime API that Berth offers. */
export type RuntimeOperation = 'InvokeEndpoint' | 'InvokeEndpointWithResponseStream'

/** What path and headers of an invocation say. */
export interface InvocationHead {
  readonly operation: RuntimeOperation
  readonly endpointName: string
  readonly contentType: string | undefined
  readonly accept: string | undefined
  readonly customAttributes: string | undefined
  readonly targetModel: string | undefined
  readonly targetVariant: string | undefined
  readonly targetContainerHostname: string | undefined
  readonly inferenceId: string | undefined
  readonly inferenceComponentName: string | undefined
  readonly sessionId: string | undefined
  readonly enableExplanations: string | undefined
}

/**
 * Parses path and headers of an invocation.
 *
 * @throws BerthError `ValidationError`: a header breaks a constraint of the service model.
 */
export function parseInvocationHead(
  _operation: RuntimeOperation,
  _endpointName: string,
  _rawHeaders: readonly string[],
): InvocationHead {
  throw new Error('unfinished')
}

/** The headers the container receives: what the caller may pass on, and what the platform adds. */
export function containerHeaders(
  _head: InvocationHead,
  _requestId: string,
): Readonly<Record<string, string>> {
  throw new Error('unfinished')
}
