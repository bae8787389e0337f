import type { BerthError } from '../domain/errors.ts'
import type { AuthError } from './auth-errors.ts'

/** A whole reply that fits in memory. Header names are as AWS spells them. */
export interface WireReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Encodes a failure for one protocol family. S3 has its own encoder. */
export function encodeError(
  _family: 'json' | 'rest-json' | 'query',
  _error: BerthError | AuthError,
  _requestId: string,
): WireReply {
  throw new Error('unfinished')
}
