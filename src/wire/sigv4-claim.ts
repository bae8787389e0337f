import type { AuthFailure, SignedRequest } from './auth-types.ts'
import { groupHeaders, splitTarget } from './sigv4-canonical.ts'
import { parseAmzDate } from './sigv4-clock.ts'
import { decodeText } from './percent.ts'
import {
  findUnsignedHeader,
  listSignedValues,
  parseSignedHeaders,
  type SignedHeaders,
} from './sigv4-signed-headers.ts'

/** What a request says about its own signature, nothing of it verified. */
export interface SignatureClaim {
  readonly form: 'header' | 'query'
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly terminator: string
  readonly signedHeaders: SignedHeaders
  readonly signature: string
  readonly amzDate: string
  readonly signedAtMs: number
  readonly expiresSeconds: number | undefined
  readonly sessionToken: string | undefined
  /** Hash of the body, or a word in its place, as the header or parameter `x-amz-content-sha256` says. */
  readonly contentSha256: string | undefined
  /** Values in the order of the signed headers; undefined when one of these headers is not there. */
  readonly signedValues: readonly string[] | undefined
  /** Why the list of signed headers is too short, if it is. */
  readonly unsignedHeader: AuthFailure | undefined
  /** What the target says before and after its question mark. */
  readonly path: string
  readonly query: string
}

/** The claim, or why there is none. */
export type ClaimResult =
  | { readonly kind: 'claim'; readonly claim: SignatureClaim }
  | { readonly kind: 'rejected'; readonly failure: AuthFailure }

const ALGORITHM = 'AWS4-HMAC-SHA256'
const ALGORITHM_AND_BLANK = `${ALGORITHM} `
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
  const { valueByName: headers, repeatedNames } = groupHeaders(request.rawHeaders)
  const repeated = SINGLE_HEADERS.find((name) => repeatedNames.includes(name))
  if (repeated !== undefined) return malformed(`Header '${repeated}' must not be repeated.`)
  const { path, query } = splitTarget(request.rawTarget)
  if (!path.startsWith('/')) return malformed('The request target must be a path.')
  const authorization = headers.get('authorization')
  const isPresigned = /(?:^|&)X-Amz-(?:Algorithm|Signature|Credential)=/.test(query)
  if (authorization !== undefined && isPresigned) {
    return malformed(
      'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified',
    )
  }
  const carried = { path, query, headers }
  if (isPresigned) return parsePresigned(carried)
  if (authorization === undefined) return reject('missing', 'Missing Authentication Token')
  return parseAuthorization(authorization, carried)
}

interface Carried extends Pick<SignatureClaim, 'path' | 'query'> {
  /** Values by lower-case name; repeated ones joined by commas. */
  readonly headers: ReadonlyMap<string, string>
}

function parseAuthorization(authorization: string, carried: Carried): ClaimResult {
  if (!authorization.startsWith(ALGORITHM_AND_BLANK)) {
    return malformed(`Unsupported AWS 'algorithm': '${authorization.split(' ', 1)[0] ?? ''}'.`)
  }
  const fields = parseFields(authorization)
  if (fields === undefined) return malformed('Authorization header has a repeated parameter.')
  const { Credential: credential, SignedHeaders: signedHeaders, Signature: signature } = fields
  const { headers } = carried
  const amzDate = headers.get('x-amz-date') ?? toAmzDate(headers.get('date'))
  if (
    credential === undefined ||
    signature === undefined ||
    signedHeaders === undefined ||
    amzDate === undefined
  ) {
    return malformed(complainOfMissing(fields, amzDate))
  }
  const sessionToken = headers.get('x-amz-security-token')
  const contentSha256 = headers.get('x-amz-content-sha256')
  const claim = { credential, signedHeaders, signature, amzDate, sessionToken, contentSha256 }
  return completeClaim(claim, carried, HEADER_FORM)
}

interface AuthorizationFields {
  Credential: string | undefined
  SignedHeaders: string | undefined
  Signature: string | undefined
}

// `Credential=…, SignedHeaders=…, Signature=…`, comma with or without a blank. Undefined when a name repeats.
function parseFields(authorization: string): AuthorizationFields | undefined {
  const fields: AuthorizationFields = {
    Credential: undefined,
    SignedHeaders: undefined,
    Signature: undefined,
  }
  let others: Set<string> | undefined
  // Index by index: splitting into a list and a map of pieces costs 1 µs more.
  for (
    let start = ALGORITHM_AND_BLANK.length, end = 0;
    start <= authorization.length;
    start = end + 1
  ) {
    end = authorization.indexOf(',', start)
    if (end < 0) end = authorization.length
    const mark = authorization.indexOf('=', start)
    if (mark < 0 || mark >= end) continue
    const name = authorization.slice(start, mark).trim()
    if (name === 'Credential' || name === 'SignedHeaders' || name === 'Signature') {
      if (fields[name] !== undefined) return undefined
      fields[name] = authorization.slice(mark + 1, end).trim()
      continue
    }
    others ??= new Set<string>()
    if (others.has(name)) return undefined
    others.add(name)
  }
  return fields
}

function complainOfMissing(fields: AuthorizationFields, amzDate: string | undefined): string {
  const complaints = (['Credential', 'Signature', 'SignedHeaders'] as const)
    .filter((name) => fields[name] === undefined)
    .map((name) => `Authorization header requires '${name}' parameter.`)
  if (amzDate === undefined) {
    complaints.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    )
  }
  return complaints.join(' ')
}

function parsePresigned(carried: Carried): ClaimResult {
  const presigned = new Map<string, string>()
  for (const part of carried.query.split('&')) {
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
  const claim = {
    credential: presigned.get('X-Amz-Credential') ?? '',
    signedHeaders: presigned.get('X-Amz-SignedHeaders') ?? '',
    signature: presigned.get('X-Amz-Signature') ?? '',
    amzDate: presigned.get('X-Amz-Date') ?? '',
    sessionToken: presigned.get('X-Amz-Security-Token'),
    contentSha256:
      presigned.get('X-Amz-Content-Sha256') ?? carried.headers.get('x-amz-content-sha256'),
  }
  return completeClaim(claim, carried, { form: 'query', expiresSeconds })
}

interface RawClaim extends Pick<
  SignatureClaim,
  'signature' | 'amzDate' | 'sessionToken' | 'contentSha256'
> {
  readonly credential: string
  readonly signedHeaders: string
}

type FormOfClaim = Pick<SignatureClaim, 'form' | 'expiresSeconds'>

const HEADER_FORM: FormOfClaim = { form: 'header', expiresSeconds: undefined }

function completeClaim(raw: RawClaim, carried: Carried, formed: FormOfClaim): ClaimResult {
  const { credential, signature, amzDate, sessionToken, contentSha256 } = raw
  const { form, expiresSeconds } = formed
  const complain = form === 'header' ? malformed : malformedQuery
  const parts = credential.split('/')
  const [accessKeyId = '', date = '', region = '', service = '', terminator = ''] = parts
  if (parts.length !== 5 || accessKeyId === '') {
    return complain(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '${credential}'`,
    )
  }
  const signedHeaders = parseSignedHeaders(raw.signedHeaders)
  if (signedHeaders === undefined) {
    return complain(`SignedHeaders must be lower-case, sorted names: '${raw.signedHeaders}'`)
  }
  const signedAtMs = parseAmzDate(amzDate)
  if (signedAtMs === undefined) {
    return complain(
      `Date must be in ISO-8601 'basic format'. Got '${amzDate}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    )
  }
  const { headers, path, query } = carried
  // Each field by name: copying the parts with spreads took longer than reading the header.
  const claim: SignatureClaim = {
    form,
    accessKeyId,
    date,
    region,
    service,
    terminator,
    signedHeaders,
    signature,
    amzDate,
    signedAtMs,
    expiresSeconds,
    sessionToken,
    contentSha256,
    signedValues: listSignedValues(headers, signedHeaders),
    unsignedHeader: findUnsignedHeader(headers, signedHeaders),
    path,
    query,
  }
  return { kind: 'claim', claim }
}

// RFC 1123 to the basic form that goes into the string to sign; anything else stays and is refused as a date.
function toAmzDate(date: string | undefined): string | undefined {
  if (date === undefined) return undefined
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
