import { BerthError, ERRORS, isBerthError, type ErrorCode } from '../domain/errors.ts'
import type { AuthError } from './auth-errors.ts'
import { encodeXml } from './xml-text.ts'

/** A whole reply that fits in memory. Header names are as AWS spells them. */
export interface WireReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Families whose errors this file encodes; S3 has its own encoder. */
export type ErrorFamily = 'json' | 'rest-json' | 'query'

// Query services have other names for the common errors. Source: control-plane reference §2.6.
const QUERY_CODE: Partial<Record<ErrorCode, string>> = {
  ValidationException: 'ValidationError',
  SerializationException: 'MalformedQueryString',
  UnknownOperationException: 'InvalidAction',
  AccessDeniedException: 'AccessDenied',
  ThrottlingException: 'Throttling',
}

/** Encodes a failure for one protocol family. */
export function encodeError(
  family: ErrorFamily,
  error: BerthError | AuthError,
  requestId: string,
): WireReply {
  switch (family) {
    case 'json':
      return encodeJsonError(error, requestId)
    case 'rest-json':
      return encodeRestJsonError(error, requestId)
    case 'query':
      return encodeQueryError(error, requestId)
  }
}

/** What a caller may see of anything thrown: failures as they are, bugs as an error id that the log has too. */
export function toBerthError(thrown: unknown, errorId: string): BerthError {
  if (isBerthError(thrown)) return thrown
  return new BerthError('InternalFailure', `An internal error occurred. Error id: ${errorId}.`, {
    cause: thrown,
  })
}

// Both spellings of the message: which one a client reads depends on whether its SDK models the error.
function encodeJsonError(error: BerthError | AuthError, requestId: string): WireReply {
  const { code, message } = error
  const members = isBerthError(error) ? error.members : {}
  return {
    status: jsonStatus(error),
    headers: { 'Content-Type': 'application/x-amz-json-1.1', 'x-amzn-RequestId': requestId },
    body: JSON.stringify({ __type: code, message, Message: message, ...members }),
  }
}

// JSON services answer 400 for every fault of the caller, authorisation included. Source: §1.3.
function jsonStatus(error: BerthError | AuthError): number {
  if (!isBerthError(error)) return error.httpStatus
  const { fault, httpStatus } = ERRORS[error.code]
  return fault === 'client' ? 400 : httpStatus
}

// The header decides the exception a client raises; `ErrorCode` in the body never does.
// Source: data-plane reference §1.3 and §2.6, where the members of a ModelError come in this order.
function encodeRestJsonError(error: BerthError | AuthError, requestId: string): WireReply {
  const body = isBerthError(error)
    ? { ...error.members, Message: error.message }
    : { message: error.message }
  const sorted = Object.entries(body).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    status: isBerthError(error) ? ERRORS[error.code].httpStatus : error.httpStatus,
    headers: {
      'Content-Type': 'application/json',
      'x-amzn-ErrorType': error.code,
      'x-amzn-RequestId': requestId,
    },
    body: JSON.stringify(Object.fromEntries(sorted)),
  }
}

function encodeQueryError(error: BerthError | AuthError, requestId: string): WireReply {
  const status = isBerthError(error) ? ERRORS[error.code].httpStatus : error.httpStatus
  const code = isBerthError(error) ? (QUERY_CODE[error.code] ?? error.code) : error.code
  const body = encodeXml({
    Error: { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: error.message },
    RequestId: requestId,
  })
  return {
    status,
    headers: { 'Content-Type': 'text/xml', 'x-amzn-RequestId': requestId },
    body: `<ErrorResponse xmlns="${STS_NAMESPACE}">${body}</ErrorResponse>`,
  }
}

/** XML namespace of the one Query service there is. Source: STS API, version 2011-06-15. */
export const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/'
