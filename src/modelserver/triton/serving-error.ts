import { OipError } from '../../wire/oip/errors.ts'
import type { OipErrorCode } from '../../wire/oip/errors.ts'

/** Why Triton's metrics say that a request failed. */
export const FAILURE_REASONS = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'] as const

/** One of {@link FAILURE_REASONS}. */
export type FailureReason = (typeof FAILURE_REASONS)[number]

/** A refusal or failure as clients see it, with the reason that metrics count it under. */
export class ServingError extends OipError {
  readonly reason: FailureReason

  constructor(code: OipErrorCode, message: string, reason: FailureReason = 'OTHER') {
    super(code, message)
    this.name = 'ServingError'
    this.reason = reason
  }
}

/** Any failure as a {@link ServingError}; what has no code was not foreseen. */
export function toServingError(error: unknown): ServingError {
  if (error instanceof ServingError) return error
  if (error instanceof OipError) return new ServingError(error.code, error.message)
  const message = error instanceof Error ? error.message : String(error)
  return new ServingError('INTERNAL', message)
}

const SPELLINGS: Readonly<Record<OipErrorCode, string>> = {
  INTERNAL: 'Internal',
  NOT_FOUND: 'Not found',
  INVALID_ARG: 'Invalid argument',
  UNAVAILABLE: 'Unavailable',
  UNSUPPORTED: 'Unsupported',
  ALREADY_EXISTS: 'Already exists',
  CANCELLED: 'Cancelled',
  UNKNOWN: 'Unknown',
}

/** How Triton spells a failure in the reason of a failed load. */
export function spellFailure({ code, message }: OipError): string {
  return `${SPELLINGS[code]}: ${message}`
}
