import { createHmac, timingSafeEqual } from 'node:crypto'
import type { AuthFailure, SecretLookup, SignedRequest, VerifiedRequest } from './auth-types.ts'
import { decodeText } from './percent.ts'
import { groupHeaders, splitTarget } from './sigv4-canonical.ts'

/** What verifying Signature V2 takes. */
export interface SigV2Deps {
  readonly findSecret: (accessKeyId: string, sessionToken: string | undefined) => SecretLookup
  readonly nowMs: number
  readonly virtualHostBucket?: string | undefined
}

/** The outcome; the caller words refusals that both signature versions share. */
export type SigV2Result =
  | VerifiedRequest
  | { readonly kind: 'rejected'; readonly failure: AuthFailure }
  | { readonly kind: 'no-secret'; readonly reason: Exclude<SecretLookup['kind'], 'found'> }
  | { readonly kind: 'mismatch' }

// Query parameters that are part of the signed resource. Source: botocore auth.py, HmacV1Auth.QSAOfInterest.
const SIGNED_PARAMETERS = new Set([
  'accelerate',
  'acl',
  'analytics',
  'cors',
  'defaultObjectAcl',
  'delete',
  'inventory',
  'lifecycle',
  'location',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'partNumber',
  'policy',
  'replication',
  'requestPayment',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'restore',
  'select',
  'select-type',
  'storageClass',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
])

/** Whether a request carries S3's old presigned form. */
export function isSigV2Query(
  { rawTarget }: SignedRequest,
  services: readonly string[] | undefined,
): boolean {
  if (services !== undefined && !services.includes('s3')) return false
  return /[?&]AWSAccessKeyId=/.test(rawTarget) && /[?&]Signature=/.test(rawTarget)
}

/**
 * Verifies a request that was presigned with Signature V2: HMAC-SHA1 over method, a few headers and the path.
 *
 * boto3 presigns with it in the older regions, us-east-1 among them, also for a custom endpoint. Headers of the
 * signed request travel as query parameters (`x-amz-security-token=…`, `content-type=…`).
 *
 * Source: data-plane reference §18.11; botocore auth.py, HmacV1QueryAuth.
 */
export function verifySigV2(request: SignedRequest, deps: SigV2Deps): SigV2Result {
  const { path, query } = splitTarget(request.rawTarget)
  const pairs = parsePairs(query)
  const { valueByName: headers } = groupHeaders(request.rawHeaders)
  const names = ['AWSAccessKeyId', 'Signature', 'Expires'] as const
  if (headers.has('authorization') || names.some((name) => listValues(pairs, name).length !== 1)) {
    return malformed(
      'Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters, each once, and no Authorization header',
    )
  }
  const [accessKeyId = '', signature = '', expires = ''] = names.map(
    (name) => listValues(pairs, name)[0],
  )
  if (!/^\d{1,12}$/.test(expires))
    return malformed(`Invalid date (should be seconds since epoch): ${expires}`)
  if (deps.nowMs > Number(expires) * 1000) {
    return {
      kind: 'rejected',
      failure: { kind: 'presign-expired', message: 'Request has expired' },
    }
  }
  const signed = collectSignedHeaders(pairs, headers)
  const secret = deps.findSecret(accessKeyId, signed.get('x-amz-security-token'))
  if (secret.kind !== 'found') return { kind: 'no-secret', reason: secret.kind }
  const bucketPrefix = deps.virtualHostBucket === undefined ? '' : `/${deps.virtualHostBucket}`
  const stringToSign = [
    request.method,
    signed.get('content-md5') ?? '',
    signed.get('content-type') ?? '',
    expires,
    ...amzHeaderLines(signed),
    bucketPrefix + path + signedParameters(pairs),
  ].join('\n')
  const expected = createHmac('sha1', secret.secretAccessKey)
    .update(stringToSign, 'latin1')
    .digest()
  if (!isSameText(expected.toString('base64'), signature)) return { kind: 'mismatch' }
  return {
    kind: 'verified',
    form: 'query-v2',
    accessKeyId,
    service: 's3',
    region: undefined,
    payload: { kind: 'unsigned' },
    principal: secret.principal,
  }
}

// Compared as text: a lenient base64 decoder would accept more than one spelling of a signature.
function isSameText(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

type Pair = readonly [name: string, value: string | undefined]

function parsePairs(query: string): readonly Pair[] {
  return query.split('&').map((part) => {
    const mark = part.indexOf('=')
    if (mark < 0) return [decodeText(part), undefined]
    return [decodeText(part.slice(0, mark)), decodeText(part.slice(mark + 1))]
  })
}

function listValues(pairs: readonly Pair[], name: string): readonly string[] {
  return pairs.filter((pair) => pair[0] === name).map((pair) => pair[1] ?? '')
}

// A header in the query was a header when the URL was signed; a header sent now as well must say the same.
function collectSignedHeaders(
  pairs: readonly Pair[],
  headers: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const isSigned = (name: string): boolean =>
    name.startsWith('x-amz-') || name === 'content-type' || name === 'content-md5'
  const signed = new Map<string, string>()
  for (const [name, value] of pairs) {
    if (isSigned(name.toLowerCase())) signed.set(name.toLowerCase(), value ?? '')
  }
  for (const [name, value] of headers) {
    if (isSigned(name)) signed.set(name, value.trim())
  }
  return signed
}

function amzHeaderLines(signed: ReadonlyMap<string, string>): readonly string[] {
  const names = [...signed.keys()].filter((name) => name.startsWith('x-amz-')).toSorted()
  return names.map((name) => `${name}:${signed.get(name) ?? ''}`)
}

function signedParameters(pairs: readonly Pair[]): string {
  const kept = pairs.filter(([name]) => SIGNED_PARAMETERS.has(name))
  if (kept.length === 0) return ''
  const sorted = kept.toSorted((a, b) => (a[0] < b[0] ? -1 : Number(a[0] > b[0])))
  return `?${sorted.map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join('&')}`
}

function malformed(message: string): SigV2Result {
  return { kind: 'rejected', failure: { kind: 'malformed-query', message } }
}
