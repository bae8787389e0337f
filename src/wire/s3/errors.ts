import { ERRORS } from '../../domain/errors.ts'
import type { BerthError } from '../../domain/errors.ts'
import type { AuthError } from '../auth-errors.ts'
import type { WireReply } from '../errors.ts'
import { element, encodePlainDocument } from './xml.ts'

/** Where an error happened. */
export interface ErrorPlace {
  readonly requestId: string
  /** Path of the bucket or object. */
  readonly resource: string
  readonly region: string
  /** A reply to HEAD has no body. */
  readonly isHead: boolean
}

interface Refusal {
  readonly code: string
  readonly httpStatus: number
  readonly message: string
  readonly members: Readonly<Record<string, string | number>>
}

/** Encodes a failure as S3 does. Source: Amazon S3 API reference, error responses. */
export function encodeS3Error(error: BerthError | AuthError, place: ErrorPlace): WireReply {
  const { code, httpStatus, message, members } = refusalOf(error)
  const headers = {
    'x-amz-request-id': place.requestId,
    'x-amz-id-2': place.requestId,
    'x-amz-bucket-region': place.region,
  }
  if (place.isHead) return { status: httpStatus, headers, body: '' }
  const body = encodePlainDocument('Error', [
    element('Code', code),
    element('Message', message),
    ...Object.entries(members).map(([name, value]) => element(name, value)),
    element('Resource', place.resource),
    element('RequestId', place.requestId),
    element('HostId', place.requestId),
  ])
  return { status: httpStatus, headers: { 'Content-Type': 'application/xml', ...headers }, body }
}

function refusalOf(error: BerthError | AuthError): Refusal {
  if ('httpStatus' in error) return { ...error, members: {} }
  const { code, message, members } = error
  if (code === 'InternalFailure') {
    const sentence = 'We encountered an internal error. Please try again.'
    return { code: 'InternalError', httpStatus: 500, message: sentence, members }
  }
  return { code, httpStatus: ERRORS[code].httpStatus, message, members }
}
