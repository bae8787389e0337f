import type { AuthFailure, AuthFailureKind } from './auth-types.ts'

/** Protocol families whose refusals differ. */
export type ProtocolFamily = 'json' | 'rest-json' | 'query' | 's3'

/** A refusal as one protocol family says it. */
export interface AuthError {
  readonly code: string
  readonly httpStatus: number
  readonly message: string
}

type CodeAndStatus = readonly [code: string, httpStatus: number]

interface Row {
  /** JSON 1.x answers 400, REST-JSON 403, with the same code. */
  readonly json: string
  readonly query: CodeAndStatus
  readonly s3: CodeAndStatus
  /** S3's own sentence where it differs. */
  readonly s3Message?: string
}

const INCOMPLETE: Row = {
  json: 'IncompleteSignatureException',
  query: ['IncompleteSignature', 400],
  s3: ['AuthorizationHeaderMalformed', 400],
}
const SKEWED: Row = {
  json: 'InvalidSignatureException',
  query: ['SignatureDoesNotMatch', 403],
  s3: ['RequestTimeTooSkewed', 403],
  s3Message: 'The difference between the request time and the current time is too large.',
}
const MISMATCH: Row = {
  json: 'InvalidSignatureException',
  query: ['SignatureDoesNotMatch', 403],
  s3: ['SignatureDoesNotMatch', 403],
}

/** Source: control-plane reference §2.6; S3 API reference, error responses. */
const ROWS: Readonly<Record<AuthFailureKind, Row>> = {
  missing: {
    json: 'MissingAuthenticationTokenException',
    query: ['MissingAuthenticationToken', 403],
    s3: ['AccessDenied', 403],
    s3Message: 'Access Denied',
  },
  malformed: INCOMPLETE,
  'malformed-query': { ...INCOMPLETE, s3: ['AuthorizationQueryParametersError', 400] },
  'unknown-key': {
    json: 'UnrecognizedClientException',
    query: ['InvalidClientTokenId', 403],
    s3: ['InvalidAccessKeyId', 403],
    s3Message: 'The AWS Access Key Id you provided does not exist in our records.',
  },
  'bad-token': {
    json: 'UnrecognizedClientException',
    query: ['InvalidClientTokenId', 403],
    s3: ['InvalidToken', 400],
    s3Message: 'The provided token is malformed or otherwise invalid.',
  },
  'token-expired': {
    json: 'ExpiredTokenException',
    query: ['ExpiredToken', 403],
    s3: ['ExpiredToken', 400],
    s3Message: 'The provided token has expired.',
  },
  'bad-signature': {
    ...MISMATCH,
    s3Message:
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
  },
  expired: SKEWED,
  'not-yet-valid': SKEWED,
  'presign-expired': {
    ...SKEWED,
    s3: ['AccessDenied', 403],
    s3Message: 'Request has expired',
  },
  'bad-scope': { ...MISMATCH, s3: ['AuthorizationHeaderMalformed', 400] },
  'unsigned-header': { ...MISMATCH, s3: ['AccessDenied', 403] },
  'body-mismatch': { ...MISMATCH, s3: ['XAmzContentSHA256Mismatch', 400] },
  'missing-content-sha256': { ...INCOMPLETE, s3: ['InvalidRequest', 400] },
  'bad-content-sha256': { ...INCOMPLETE, s3: ['InvalidArgument', 400] },
}

/** The code, status and sentence of a refused request. */
export function authError({ kind, message }: AuthFailure, family: ProtocolFamily): AuthError {
  const row = ROWS[kind]
  switch (family) {
    case 'json':
      return { code: row.json, httpStatus: 400, message }
    case 'rest-json':
      return { code: row.json, httpStatus: 403, message }
    case 'query':
      return { code: row.query[0], httpStatus: row.query[1], message }
    case 's3':
      return { code: row.s3[0], httpStatus: row.s3[1], message: row.s3Message ?? message }
  }
}
