import { BerthError } from '../domain/errors.ts'
import { RUNTIME_CONSTRAINTS } from './constraints.ts'
import { findViolations, validationMessage } from './validate.ts'

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

// Member of the input shape by lower-case header name. The streaming form differs: it carries Accept in
// X-Amzn-SageMaker-Accept and has no target model. Source: the runtime's service model.
const MEMBER_BY_HEADER: Readonly<Record<RuntimeOperation, ReadonlyMap<string, string>>> = {
  InvokeEndpoint: memberByHeader('InvokeEndpoint'),
  InvokeEndpointWithResponseStream: memberByHeader('InvokeEndpointWithResponseStream'),
}

/**
 * Parses the headers of an invocation. Headers that the operation does not have are not looked at.
 *
 * @throws BerthError `ValidationError`: the name or a header breaks a constraint of the service model.
 */
export function parseInvocationHead(
  operation: RuntimeOperation,
  endpointName: string,
  rawHeaders: readonly string[],
): InvocationHead {
  const input: Record<string, string> = { EndpointName: endpointName }
  const members = MEMBER_BY_HEADER[operation]
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const member = members.get((rawHeaders[index] ?? '').toLowerCase())
    if (member === undefined) continue
    if (input[member] !== undefined) throw repeated(rawHeaders[index] ?? '')
    input[member] = rawHeaders[index + 1] ?? ''
  }
  assertValidHead(operation, input)
  return {
    operation,
    endpointName,
    contentType: input['ContentType'],
    accept: input['Accept'],
    customAttributes: input['CustomAttributes'],
    targetModel: input['TargetModel'],
    targetVariant: input['TargetVariant'],
    targetContainerHostname: input['TargetContainerHostname'],
    inferenceId: input['InferenceId'],
    inferenceComponentName: input['InferenceComponentName'],
    sessionId: input['SessionId'],
    enableExplanations: input['EnableExplanations'],
  }
}

/**
 * The headers that the container receives beside its Content-Length: what the caller may pass on, and what the
 * platform adds. Everything else of the caller's request (credentials, cookies, user agent) stays here.
 *
 * The target container, inference component and explanations are the platform's to act on and do not go on. The
 * inference id is the request id when the caller gave none.
 *
 * Source: data-plane reference §2.1.
 */
export function containerHeaders(
  head: InvocationHead,
  requestId: string,
): Readonly<Record<string, string>> {
  const passed: Readonly<Record<string, string | undefined>> = {
    'Content-Type': head.contentType,
    Accept: head.accept,
    'X-Amzn-SageMaker-Custom-Attributes': head.customAttributes,
    'X-Amzn-SageMaker-Target-Model': head.targetModel,
    'X-Amzn-SageMaker-Target-Variant': head.targetVariant,
    'X-Amzn-SageMaker-Session-Id': head.sessionId,
    'X-Amzn-SageMaker-Inference-Id': head.inferenceId ?? requestId,
    'X-Amzn-SageMaker-Forwarded-Api': head.operation,
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(passed)) {
    if (value !== undefined) headers[name] = value
  }
  return headers
}

function memberByHeader(operation: RuntimeOperation): ReadonlyMap<string, string> {
  const shape = RUNTIME_CONSTRAINTS.shapes[`${operation}Input`]
  const members = Object.entries(shape?.members ?? {})
  return new Map(
    members.flatMap(([name, { location, locationName }]) =>
      location === 'header' && locationName !== undefined
        ? [[locationName.toLowerCase(), name]]
        : [],
    ),
  )
}

// The body is required by the shape but is not part of the head; an empty one is the container's to judge.
function assertValidHead(
  operation: RuntimeOperation,
  input: Readonly<Record<string, string>>,
): void {
  const violations = findViolations(
    `${operation}Input`,
    { ...input, Body: '' },
    undefined,
    RUNTIME_CONSTRAINTS,
  )
  if (violations.length > 0) throw new BerthError('ValidationError', validationMessage(violations))
}

// Two values would be one for the router and another for the container.
function repeated(header: string): BerthError {
  return new BerthError('ValidationError', `Header ${header} must not be repeated.`)
}
