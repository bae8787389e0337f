import { BerthError } from '../domain/errors.ts'
import { GRAPH_DEPTH_HEADER } from '../domain/graph/depth.ts'
import { matchesPattern, RUNTIME_CONSTRAINTS } from './constraints.ts'
import type { ConstrainedShape } from './constraints.ts'
import { findViolations, validationMessage } from './validate.ts'

/** Names the model of a container that serves many. */
export const TARGET_MODEL_HEADER = 'X-Amzn-SageMaker-Target-Model'

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
  /** Set by graphs only: see `domain/graph/depth.ts`. */
  readonly graphDepth: string | undefined
}

type HeadField = Exclude<keyof InvocationHead, 'operation' | 'endpointName'>

/** A member of the input shape that travels as a header. */
interface HeaderMember {
  readonly name: string
  readonly field: HeadField
  readonly shape: ConstrainedShape
}

// Member by lower-case header name. The streaming form differs: it carries Accept in X-Amzn-SageMaker-Accept and has no
// target model. Source: the runtime's service model.
const MEMBER_BY_HEADER: Readonly<Record<RuntimeOperation, ReadonlyMap<string, HeaderMember>>> = {
  InvokeEndpoint: memberByHeader('InvokeEndpoint'),
  InvokeEndpointWithResponseStream: memberByHeader('InvokeEndpointWithResponseStream'),
}
// Of ten headers of a usual request one is a member; most others differ in length already and need no copy in lower case.
const MEMBER_NAME_LENGTHS: ReadonlySet<number> = new Set(
  Object.values(MEMBER_BY_HEADER).flatMap((members) =>
    [...members.keys()].map((name) => name.length),
  ),
)
const ENDPOINT_NAME = findShape('EndpointName')

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
  const head: { -readonly [K in keyof InvocationHead]: InvocationHead[K] } = {
    operation,
    endpointName,
    contentType: undefined,
    accept: undefined,
    customAttributes: undefined,
    targetModel: undefined,
    targetVariant: undefined,
    targetContainerHostname: undefined,
    inferenceId: undefined,
    inferenceComponentName: undefined,
    sessionId: undefined,
    enableExplanations: undefined,
    graphDepth: undefined,
  }
  const members = MEMBER_BY_HEADER[operation]
  let isSound = fits(ENDPOINT_NAME, endpointName)
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!MEMBER_NAME_LENGTHS.has(name.length)) continue
    const member = members.get(name.toLowerCase())
    if (member === undefined) continue
    const { field, shape } = member
    if (head[field] !== undefined) throw repeated(name)
    const value = rawHeaders[index + 1] ?? ''
    head[field] = value
    if (!fits(shape, value)) isSound = false
  }
  // The general validator says what is wrong; walking the whole shape to learn that nothing is takes 2 µs.
  if (!isSound) assertValidHead(head)
  return head
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
  const headers: Record<string, string> = {
    'X-Amzn-SageMaker-Inference-Id': head.inferenceId ?? requestId,
    'X-Amzn-SageMaker-Forwarded-Api': head.operation,
  }
  const { contentType, accept, customAttributes, targetModel, targetVariant, sessionId } = head
  if (contentType !== undefined) headers['Content-Type'] = contentType
  if (accept !== undefined) headers['Accept'] = accept
  if (customAttributes !== undefined) {
    headers['X-Amzn-SageMaker-Custom-Attributes'] = customAttributes
  }
  if (targetModel !== undefined) headers[TARGET_MODEL_HEADER] = targetModel
  if (targetVariant !== undefined) headers['X-Amzn-SageMaker-Target-Variant'] = targetVariant
  if (sessionId !== undefined) headers['X-Amzn-SageMaker-Session-Id'] = sessionId
  if (head.graphDepth !== undefined) headers[GRAPH_DEPTH_HEADER] = head.graphDepth
  return headers
}

function memberByHeader(operation: RuntimeOperation): ReadonlyMap<string, HeaderMember> {
  const members = new Map<string, HeaderMember>()
  const { members: ofShape = {} } = findShape(`${operation}Input`)
  for (const [name, { shape, location, locationName }] of Object.entries(ofShape)) {
    if (location !== 'header' || locationName === undefined) continue
    const field = (name.charAt(0).toLowerCase() + name.slice(1)) as HeadField
    members.set(locationName.toLowerCase(), { name, field, shape: findShape(shape) })
  }
  // Not of the service: whoever reads it judges its value.
  members.set(GRAPH_DEPTH_HEADER, { name: '', field: 'graphDepth', shape: { type: 'string' } })
  return members
}

function findShape(name: string): ConstrainedShape {
  const shape = RUNTIME_CONSTRAINTS.shapes[name]
  if (shape === undefined) throw new Error(`no shape ${name} in the runtime's service model`)
  return shape
}

// Whether a text meets the constraints that a text can have.
function fits(shape: ConstrainedShape, text: string): boolean {
  const { min = 0, max = Number.POSITIVE_INFINITY } = shape
  if (text.length < min || text.length > max) return false
  return shape.enum === undefined && matchesPattern(shape, text)
}

// The body is required by the shape but is not part of the head; an empty one is the container's to judge.
function assertValidHead(head: InvocationHead): void {
  const input: Record<string, string> = { EndpointName: head.endpointName, Body: '' }
  for (const { name, field } of MEMBER_BY_HEADER[head.operation].values()) {
    const value = head[field]
    if (value !== undefined && name !== '') input[name] = value
  }
  const shapeName = `${head.operation}Input`
  const violations = findViolations(shapeName, input, undefined, RUNTIME_CONSTRAINTS)
  if (violations.length > 0) throw new BerthError('ValidationError', validationMessage(violations))
}

// Two values would be one for the router and another for the container.
function repeated(header: string): BerthError {
  return new BerthError('ValidationError', `Header ${header} must not be repeated.`)
}
