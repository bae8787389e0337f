import type { AuthFailure } from './auth-types.ts'

/** Protocol families whose refusals differ. */
export type ProtocolFamily = 'json' | 'rest-json' | 'query' | 's3'

/** A refusal as one protocol family says it. */
export interface AuthError {
  readonly code: string
  readonly httpStatus: number
  readonly message: string
}

/** The code, status and sentence of a refused request. Source: control-plane reference §2.6. */
export function authError(_failure: AuthFailure, _family: ProtocolFamily): AuthError {
  throw new Error('unfinished')
}
