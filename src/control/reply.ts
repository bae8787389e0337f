import type { ServerResponse } from 'node:http'
import { ERRORS, isBerthError } from '../domain/errors.ts'
import type { AuthError } from '../wire/auth-errors.ts'
import { encodeError, toBerthError } from '../wire/errors.ts'
import type { ErrorFamily, WireReply } from '../wire/errors.ts'
import type { Exchange } from './deps.ts'

/** Sends a whole reply. Node adds `Date`, which the JavaScript SDK corrects its clock by. */
export function sendReply(response: ServerResponse, { status, headers, body }: WireReply): void {
  const bytes = Buffer.from(body, 'utf8')
  response.writeHead(status, { ...headers, 'Content-Length': bytes.length })
  response.end(bytes)
}

/** Sends a JSON reply of the AWS JSON protocol. */
export function sendJson({ response, requestId }: Exchange, body: string): void {
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'x-amzn-RequestId': requestId }
  sendReply(response, { status: 200, headers, body })
}

/** Sends a refused signature. */
export function sendAuthError(exchange: Exchange, family: ErrorFamily, error: AuthError): void {
  sendReply(exchange.response, encodeError(family, error, exchange.requestId))
}

/**
 * Ends a request that failed: the caller hears a failure in its own protocol, and an id for anything else. Once the
 * head of a reply is out nothing can be said any more, so the connection is cut.
 */
export function sendFailure(exchange: Exchange, family: ErrorFamily, thrown: unknown): void {
  const { response, requestId, signal, deps } = exchange
  if (signal.aborted) {
    deps.log.debug({ requestId }, 'client went away')
    return
  }
  logFailure(exchange, thrown)
  if (response.headersSent) response.destroy()
  else sendReply(response, encodeError(family, toBerthError(thrown, requestId), requestId))
}

function logFailure({ requestId, deps }: Exchange, thrown: unknown): void {
  if (!isBerthError(thrown)) {
    deps.log.error({ errorId: requestId, err: thrown }, 'request failed by a bug')
    return
  }
  if (ERRORS[thrown.code].fault === 'platform') {
    deps.log.warn({ requestId, code: thrown.code, err: thrown }, 'request failed')
  }
}
