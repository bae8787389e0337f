import { ERRORS } from '../../domain/errors.ts'
import type { BerthError } from '../../domain/errors.ts'
import type { AuthError } from '../auth-errors.ts'
import type { BodyError } from '../aws-chunked.ts'
import type { WireReply } from '../errors.ts'
import { element, encodePlainDocument } from './xml.ts'

/** What the S3 face can answer with: a refused signature and a broken body bring their own code and status. */
export type S3Failure = BerthError | AuthError | BodyError

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
export function encodeS3Error(error: S3Failure, place: ErrorPlace): WireReply {
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

function refusalOf(error: S3Failure): Refusal {
  if ('httpStatus' in error) {
    const { code, httpStatus, message } = error
    return { code, httpStatus, message, members: {} }
  }
  const { code, message, members } = error
  if (code === 'InternalFailure') {
    const sentence = 'We encountered an internal error. Please try again.'
    return { code: 'InternalError', httpStatus: 500, message: sentence, members }
  }
  return { code, httpStatus: ERRORS[code].httpStatus, message, members }
}
