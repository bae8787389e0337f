import type { AuthFailure, SignedRequest } from './auth-types.ts'
import { groupHeaders, splitTarget } from './sigv4-canonical.ts'
import { parseAmzDate } from './sigv4-clock.ts'
import { decodeText } from './percent.ts'

/** What a request says about its own signature, nothing of it verified. */
export interface SignatureClaim {
  readonly form: 'header' | 'query'
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly terminator: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly amzDate: string
  readonly signedAtMs: number
  readonly expiresSeconds: number | undefined
  readonly sessionToken: string | undefined
  readonly headers: ReadonlyMap<string, readonly string[]>
  /** Decoded parameters of a presigned request, which may carry the payload hash; empty in the header form. */
  readonly presigned: ReadonlyMap<string, string>
}

/** The claim, or why there is none. */
export type ClaimResult =
  | { readonly kind: 'claim'; readonly claim: SignatureClaim }
  | { readonly kind: 'rejected'; readonly failure: AuthFailure }

const ALGORITHM = 'AWS4-HMAC-SHA256'
const PRESIGN_SECONDS_MAX = 604_800
const QUERY_PARAMETERS = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
] as const
const OPTIONAL_PARAMETERS = ['X-Amz-Security-Token', 'X-Amz-Content-Sha256'] as const
// A second value of one of these would leave open which of the two was signed.
const SINGLE_HEADERS = [
  'host',
  'authorization',
  'date',
  'x-amz-date',
  'x-amz-content-sha256',
  'x-amz-security-token',
]

/** Reads the Authorization header or the `X-Amz-*` parameters of a presigned request. */
export function parseClaim(request: SignedRequest): ClaimResult {
  const headers = groupHeaders(request.rawHeaders)
  const repeated = SINGLE_HEADERS.find((name) => (headers.get(name)?.length ?? 0) > 1)
  if (repeated !== undefined) return malformed(`Header '${repeated}' must not be repeated.`)
  const { path, query } = splitTarget(request.rawTarget)
  if (!path.startsWith('/')) return malformed('The request target must be a path.')
  const authorization = headers.get('authorization')?.[0]
  const isPresigned = /(?:^|&)X-Amz-(?:Algorithm|Signature|Credential)=/.test(query)
  if (authorization !== undefined && isPresigned) {
    return malformed(
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
    )
  }
  if (isPresigned) return parsePresigned(query, headers)
  if (authorization === undefined) return reject('missing', 'Missing Authentication Token')
  return parseAuthorization(authorization, headers)
}

function parseAuthorization(
  authorization: string,
  headers: ReadonlyMap<string, readonly string[]>,
): ClaimResult {
  const space = authorization.indexOf(' ')
  if (space < 0 || authorization.slice(0, space) !== ALGORITHM) {
    return malformed(`Unsupported AWS 'algorithm': '${authorization.split(' ', 1)[0] ?? ''}'.`)
  }
  const fields = parseFields(authorization.slice(space + 1))
  if (fields === undefined) return malformed('Authorization header has a repeated parameter.')
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter((name) => !fields.has(name))
  const amzDate = headers.get('x-amz-date')?.[0]
  const date = headers.get('date')?.[0]
  const complaints = missing.map((name) => `Authorization header requires '${name}' parameter.`)
  if (amzDate === undefined && date === undefined) {
    complaints.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    )
  }
  if (complaints.length > 0) return malformed(complaints.join(' '))
  return completeClaim({
    form: 'header',
    credential: fields.get('Credential') ?? '',
    signedHeaders: fields.get('SignedHeaders') ?? '',
    signature: fields.get('Signature') ?? '',
    amzDate: amzDate ?? toAmzDate(date ?? ''),
    expiresSeconds: undefined,
    sessionToken: headers.get('x-amz-security-token')?.[0],
    headers,
    presigned: new Map(),
  })
}

// `Credential=…, SignedHeaders=…, Signature=…`, comma with or without a blank. Undefined when a name repeats.
function parseFields(text: string): Map<string, string> | undefined {
  const fields = new Map<string, string>()
  for (const part of text.split(',')) {
    const mark = part.indexOf('=')
    if (mark < 0) continue
    const name = part.slice(0, mark).trim()
    if (fields.has(name)) return undefined
    fields.set(name, part.slice(mark + 1).trim())
  }
  return fields
}

function parsePresigned(
  query: string,
  headers: ReadonlyMap<string, readonly string[]>,
): ClaimResult {
  const presigned = new Map<string, string>()
  for (const part of query.split('&')) {
    const mark = part.indexOf('=')
    const name = decodeText(mark < 0 ? part : part.slice(0, mark))
    if (![...QUERY_PARAMETERS, ...OPTIONAL_PARAMETERS].some((known) => known === name)) continue
    if (presigned.has(name)) return malformedQuery(`Query parameter ${name} must not be repeated.`)
    presigned.set(name, mark < 0 ? '' : decodeText(part.slice(mark + 1)))
  }
  if (QUERY_PARAMETERS.some((name) => !presigned.has(name))) {
    return malformedQuery(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    )
  }
  if (presigned.get('X-Amz-Algorithm') !== ALGORITHM) {
    return malformedQuery(`X-Amz-Algorithm only supports "${ALGORITHM}"`)
  }
  const expires = presigned.get('X-Amz-Expires') ?? ''
  if (!/^\d{1,15}$/.test(expires)) return malformedQuery('X-Amz-Expires should be a number')
  const expiresSeconds = Number(expires)
  if (expiresSeconds < 1 || expiresSeconds > PRESIGN_SECONDS_MAX) {
    return malformedQuery(
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${PRESIGN_SECONDS_MAX} seconds`,
    )
  }
  return completeClaim({
    form: 'query',
    credential: presigned.get('X-Amz-Credential') ?? '',
    signedHeaders: presigned.get('X-Amz-SignedHeaders') ?? '',
    signature: presigned.get('X-Amz-Signature') ?? '',
    amzDate: presigned.get('X-Amz-Date') ?? '',
    expiresSeconds,
    sessionToken: presigned.get('X-Amz-Security-Token'),
    headers,
    presigned,
  })
}

interface RawClaim extends Pick<
  SignatureClaim,
  'form' | 'signature' | 'amzDate' | 'expiresSeconds' | 'sessionToken' | 'headers' | 'presigned'
> {
  readonly credential: string
  readonly signedHeaders: string
}

function completeClaim({ credential, signedHeaders, ...rest }: RawClaim): ClaimResult {
  const complain = rest.form === 'header' ? malformed : malformedQuery
  const parts = credential.split('/')
  const [accessKeyId, date, region, service, terminator] = parts
  if (
    parts.length !== 5 ||
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined ||
    terminator === undefined ||
    accessKeyId === ''
  ) {
    return complain(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    )
  }
  const names = signedHeaders.split(';')
  if (!isSortedUnique(names)) {
    return complain(`SignedHeaders must be lower-case, sorted names: '${signedHeaders}'`)
  }
  const signedAtMs = parseAmzDate(rest.amzDate)
  if (signedAtMs === undefined) {
    return complain(
      `Date must be in ISO-8601 'basic format'. Got '${rest.amzDate}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    )
  }
  const scope = { accessKeyId, date, region, service, terminator }
  return { kind: 'claim', claim: { ...rest, ...scope, signedHeaders: names, signedAtMs } }
}

// A canonical request has each header once, sorted; a list in another order was not made by a signer.
function isSortedUnique(names: readonly string[]): boolean {
  return names.every(
    (name, index) =>
      /^[!-+\--9<-@[-~]+$/.test(name) && (index === 0 || name > (names[index - 1] ?? '')),
  )
}

// RFC 1123 to the basic form that goes into the string to sign; anything else stays and is refused as a date.
function toAmzDate(date: string): string {
  if (/^\d{8}T\d{6}Z$/.test(date)) return date
  const match = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.exec(date)
  const epochMs = match === null ? Number.NaN : Date.parse(date)
  if (Number.isNaN(epochMs)) return date
  return `${new Date(epochMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

function reject(kind: AuthFailure['kind'], message: string): ClaimResult {
  return { kind: 'rejected', failure: { kind, message } }
}

function malformed(message: string): ClaimResult {
  return reject('malformed', message)
}

function malformedQuery(message: string): ClaimResult {
  return reject('malformed-query', message)
}
