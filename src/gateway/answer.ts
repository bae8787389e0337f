import { isBerthError } from '../domain/errors.ts'
import type { Log } from '../platform/log.ts'
import type { ProtocolFamily } from '../wire/auth-errors.ts'
import { encodeError, toBerthError } from '../wire/errors.ts'
import type { WireReply } from '../wire/errors.ts'
import { encodeXml } from '../wire/xml-text.ts'
import { AuthRefusal } from './authenticate.ts'
import type { ClientSink } from './client-sink.ts'
import { ClientGone } from './deadline.ts'

/** What an answer to a failed request takes beside the failure. */
export interface FailedRequest {
  readonly family: ProtocolFamily
  readonly requestId: string
  readonly log: Log
}

/** Answers a failure in its protocol's form and logs it; a reply that has begun is cut instead. */
export function answerFailure(client: ClientSink, thrown: unknown, request: FailedRequest): void {
  if (thrown instanceof ClientGone) {
    client.destroy()
    return
  }
  const { family, requestId, log } = request
  logFailure(thrown, requestId, log)
  sendReply(client, encodeFailure(family, thrown, requestId))
}

/** Sends a reply whose body is text. */
export function sendReply(client: ClientSink, { status, headers, body }: WireReply): void {
  client.sendWhole(status, headers, Buffer.from(body))
}

function encodeFailure(family: ProtocolFamily, thrown: unknown, requestId: string): WireReply {
  const error = thrown instanceof AuthRefusal ? thrown.failure : toBerthError(thrown, requestId)
  const reply =
    family === 's3'
      ? encodeS3Error(toBerthError(thrown, requestId), requestId)
      : encodeError(family, error, requestId)
  if (reply.status !== 503) return reply
  return { ...reply, headers: { ...reply.headers, 'Retry-After': '1' } }
}

// Only what a gateway itself answers to S3 clients: that control is away, or that they are too slow.
function encodeS3Error(error: { code: string; message: string }, requestId: string): WireReply {
  const status =
    error.code === 'RequestTimeout' ? 400 : error.code === 'InternalFailure' ? 500 : 503
  const code = status === 500 ? 'InternalError' : error.code
  const body = encodeXml({ Code: code, Message: error.message, RequestId: requestId })
  return {
    status,
    headers: { 'Content-Type': 'application/xml', 'x-amz-request-id': requestId },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${body}</Error>`,
  }
}

function logFailure(error: unknown, requestId: string, log: Log): void {
  if (error instanceof AuthRefusal) {
    log.debug({ requestId, code: error.failure.code }, 'request refused')
  } else if (isBerthError(error)) log.debug({ requestId, code: error.code }, 'request failed')
  else log.error({ requestId, err: error }, 'internal error')
}
