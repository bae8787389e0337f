import { BerthError } from '../domain/errors.ts'
import type { ErrorFamily } from './errors.ts'
import { findHeader } from './headers.ts'
import { decodeText } from './percent.ts'
import type { RuntimeOperation } from './runtime-request.ts'
import { splitTarget } from './sigv4-canonical.ts'

/** What decides who answers a request. */
export interface RequestHead {
  readonly method: string
  /** Path and query exactly as sent. */
  readonly rawTarget: string
  readonly rawHeaders: readonly string[]
}

/** Who answers a request. */
export type Destination =
  | { readonly kind: 'health'; readonly path: string }
  /** A control-plane operation, offered or not: {@link findOperation} tells. */
  | { readonly kind: 'sagemaker'; readonly operation: string }
  | {
      readonly kind: 'runtime'
      readonly operation: RuntimeOperation
      readonly endpointName: string
    }
  /** A Query request; its `Action` is in the body. */
  | { readonly kind: 'sts' }
  /** Berth's own API. */
  | { readonly kind: 'berth'; readonly path: string }
  | { readonly kind: 's3' }
  | NotOffered

/** A request for something AWS has and Berth has not, answered in that protocol's own error. */
export interface NotOffered {
  readonly kind: 'not-offered'
  readonly family: ErrorFamily
  readonly service: string
  readonly operation: string | undefined
}

// Source: control-plane reference §1.1; data-plane reference §1.1.
const SERVICE_BY_TARGET_PREFIX: Readonly<Record<string, string>> = {
  AnyScaleFrontendService: 'application-autoscaling',
  GraniteServiceVersion20100801: 'monitoring',
  Logs_20140328: 'logs',
}
const RUNTIME_OPERATION_BY_TAIL: ReadonlyMap<string, RuntimeOperation> = new Map([
  ['invocations', 'InvokeEndpoint'],
  ['invocations-response-stream', 'InvokeEndpointWithResponseStream'],
])
const RUNTIME_NOT_OFFERED_BY_TAIL: ReadonlyMap<string, string> = new Map([
  ['async-invocations', 'InvokeEndpointAsync'],
  ['invocations-bidirectional-stream', 'InvokeEndpointWithBidirectionalStream'],
])
const CREDENTIAL = 'Credential='
const SLASH = 0x2f
const COMMA = 0x2c
const ENDPOINTS = '/endpoints/'
const FORM = 'application/x-www-form-urlencoded'

/**
 * Decides who answers, from the head alone. Pure.
 *
 * Path alone never decides between the runtime and S3: a bucket may be called `endpoints`. The order is control-plane
 * reference §1.1; a request without a signature goes where its shape points, to be refused in that protocol.
 */
export function chooseDestination(head: RequestHead): Destination {
  const { path } = splitTarget(head.rawTarget)
  const scopeService = findScopeService(head)
  if (scopeService === undefined && isHealthPath(head.method, path)) return { kind: 'health', path }
  const target = findHeader(head.rawHeaders, 'x-amz-target')
  if (target !== undefined && scopeService !== 's3') return chooseByTarget(target)
  if (path.startsWith('/service/GraniteServiceVersion20100801/operation/')) {
    return notOffered('json', 'monitoring', path.split('/')[4])
  }
  if (isForm(head, path) && scopeService !== 's3') return chooseByForm(scopeService)
  if (scopeService === 's3') return { kind: 's3' }
  if (path === '/berth' || path.startsWith('/berth/')) return { kind: 'berth', path }
  const runtime = chooseRuntime(head.method, path)
  if (runtime !== undefined) return runtime
  if (scopeService === undefined) return { kind: 's3' }
  return notOffered(path === '/' ? 'json' : 'rest-json', scopeService, undefined)
}

/** The failure for something that is not offered, to be encoded in the destination's `family`. */
export function notOfferedError({ family, service, operation }: NotOffered): BerthError {
  const what = operation === undefined ? `This request to ${service}` : `${service}:${operation}`
  const code = family === 'query' ? 'InvalidAction' : 'UnknownOperationException'
  return new BerthError(code, `${what} is not offered by Berth.`)
}

/**
 * The service a request says it is signed for: the fourth part of its credential, or `s3` for S3's old query form.
 * Nothing of it is verified.
 */
export function findScopeService({ rawTarget, rawHeaders }: RequestHead): string | undefined {
  const authorization = findHeader(rawHeaders, 'authorization')
  if (authorization !== undefined) {
    const start = authorization.indexOf(CREDENTIAL)
    if (start >= 0) return findPart(authorization, start + CREDENTIAL.length)
    return authorization.startsWith('AWS ') ? 's3' : undefined
  }
  const { query } = splitTarget(rawTarget)
  const presigned = /(?:^|&)X-Amz-Credential=([^&]*)/.exec(query)?.[1]
  if (presigned !== undefined) return decodeText(presigned).split('/')[3]
  return /(?:^|&)AWSAccessKeyId=/.test(query) ? 's3' : undefined
}

// The fourth part of `…/…/…/service/…`, which ends before a comma or white space. Every invocation comes by: a regular
// expression and `split` take 0.3 µs longer.
function findPart(text: string, start: number): string | undefined {
  let slashCount = 0
  let partStart = 0
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === SLASH) {
      slashCount += 1
      if (slashCount === 3) partStart = at + 1
      else if (slashCount === 4) return text.slice(partStart, at)
    } else if (code === COMMA || isSpace(code))
      return slashCount < 3 ? undefined : text.slice(partStart, at)
  }
  return slashCount < 3 ? undefined : text.slice(partStart)
}

// As `\s`, of what a header can have (Latin-1).
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0
}

function chooseByTarget(target: string): Destination {
  const dot = target.indexOf('.')
  const prefix = dot < 0 ? target : target.slice(0, dot)
  const operation = dot < 0 ? '' : target.slice(dot + 1)
  if (prefix === 'SageMaker') return { kind: 'sagemaker', operation }
  const service = Object.hasOwn(SERVICE_BY_TARGET_PREFIX, prefix)
    ? SERVICE_BY_TARGET_PREFIX[prefix]
    : undefined
  return notOffered('json', service ?? prefix.slice(0, 100), operation.slice(0, 100))
}

// The Action is in the body, which is not read here: the service in the scope says whose it is.
function chooseByForm(scopeService: string | undefined): Destination {
  if (scopeService === 'sts' || scopeService === undefined) return { kind: 'sts' }
  return notOffered('query', scopeService, undefined)
}

function isForm({ method, rawHeaders }: RequestHead, path: string): boolean {
  if (method !== 'POST' || path !== '/') return false
  return findHeader(rawHeaders, 'content-type')?.toLowerCase().startsWith(FORM) === true
}

function chooseRuntime(method: string, path: string): Destination | undefined {
  if (method !== 'POST' || !path.startsWith(ENDPOINTS)) return undefined
  const nameEnd = path.indexOf('/', ENDPOINTS.length)
  if (nameEnd <= ENDPOINTS.length) return undefined
  const tail = path.slice(nameEnd + 1)
  const operation = RUNTIME_OPERATION_BY_TAIL.get(tail)
  if (operation !== undefined) {
    const endpointName = decodeText(path.slice(ENDPOINTS.length, nameEnd))
    return { kind: 'runtime', operation, endpointName }
  }
  const notYet = RUNTIME_NOT_OFFERED_BY_TAIL.get(tail)
  return notYet === undefined ? undefined : notOffered('rest-json', 'sagemaker', notYet)
}

// The only routes that answer unsigned requests. A signed one is somebody's object in a bucket called `berth`.
function isHealthPath(method: string, path: string): boolean {
  return (method === 'GET' || method === 'HEAD') && /^\/berth\/(?:health|ready)$/.test(path)
}

function notOffered(
  family: ErrorFamily,
  service: string,
  operation: string | undefined,
): NotOffered {
  return { kind: 'not-offered', family, service, operation }
}
