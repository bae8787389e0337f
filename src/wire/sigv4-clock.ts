import type { AuthFailure } from './auth-types.ts'

const SKEW_MINUTES = 5
const S3_SKEW_MINUTES = 15
const MINUTE_MS = 60_000

/** Epoch milliseconds of `20240102T030405Z`, or undefined when it is not such a date. */
export function parseAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  const epochMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  // Date.parse rolls 30 February over to March; such a date is not a date.
  return Number.isNaN(epochMs) || formatAmzDate(epochMs) !== text ? undefined : epochMs
}

/** `20240102T030405Z`. */
export function formatAmzDate(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** The signing time of a request and, for a presigned one, how long it stays valid. */
export interface SigningTime {
  readonly signedAtMs: number
  readonly expiresSeconds: number | undefined
}

/**
 * What is wrong with the time of a request, or undefined.
 *
 * Other services allow five minutes either way, S3 fifteen. A presigned request may be as old as it says.
 */
export function findClockFailure(
  { signedAtMs, expiresSeconds }: SigningTime,
  service: string,
  nowMs: number,
): AuthFailure | undefined {
  const minutes = service === 's3' ? S3_SKEW_MINUTES : SKEW_MINUTES
  const skewMs = minutes * MINUTE_MS
  const signed = formatAmzDate(signedAtMs)
  const now = formatAmzDate(nowMs)
  if (signedAtMs > nowMs + skewMs) {
    const limit = formatAmzDate(nowMs + skewMs)
    const message = `Signature not yet current: ${signed} is still later than ${limit} (${now} + ${minutes} min.)`
    return { kind: 'not-yet-valid', message }
  }
  if (expiresSeconds !== undefined) {
    const endsAtMs = signedAtMs + expiresSeconds * 1000
    if (nowMs <= endsAtMs) return undefined
    const message = `Signature expired: ${formatAmzDate(endsAtMs)} is now earlier than ${now}`
    return { kind: 'presign-expired', message }
  }
  if (signedAtMs >= nowMs - skewMs) return undefined
  const limit = formatAmzDate(nowMs - skewMs)
  const message = `Signature expired: ${signed} is now earlier than ${limit} (${now} - ${minutes} min.)`
  return { kind: 'expired', message }
}
