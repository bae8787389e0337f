import type { IncomingHttpHeaders } from 'node:http'
import type { OipError } from '../../../wire/oip/errors.ts'
import { encodeOipError } from '../../../wire/oip/errors.ts'

/** One HTTP request, its path taken apart. */
export interface HttpCall {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Parts of the path by the names of the route's groups, decoded. */
  readonly parts: Readonly<Record<string, string>>
  /** The body, decompressed. */
  readonly body: Uint8Array
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /** When its head and the end of its body were here, in nanoseconds of the monotonic clock. */
  readonly received: { readonly startNs: number; readonly endNs: number }
}

/** An answer. */
export interface HttpReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Parts that are sent as they come, or all at once. */
  readonly body: Uint8Array | string | AsyncIterable<Uint8Array>
  /** Only answers with tensors are compressed. */
  readonly canCompress?: boolean
  /** Told when all of it has been handed to the socket, or never will be. */
  readonly onSent?: (startNs: number, endNs: number) => void
}

const JSON_TYPE = { 'content-type': 'application/json' }

/** A JSON answer. */
export function jsonReply(value: unknown, status = 200): HttpReply {
  return { status, headers: JSON_TYPE, body: JSON.stringify(value) }
}

/** An answer that says all by its status. */
export function emptyReply(status = 200): HttpReply {
  return { status, headers: {}, body: '' }
}

/** An answer that says all by its status, of the type that Triton gives it. */
export function emptyJsonReply(): HttpReply {
  return { status: 200, headers: JSON_TYPE, body: '' }
}

/** A failure in the one form that failures have. */
export function errorReply(error: OipError): HttpReply {
  const { status, body } = encodeOipError(error)
  return { status, headers: JSON_TYPE, body }
}
