import type { AuthFailure } from './auth-types.ts'

const SKEW_MINUTES = 5
const S3_SKEW_MINUTES = 15
const MINUTE_MS = 60_000

/** Epoch milliseconds of `20240102T030405Z`, or undefined when it is not such a date. */
export function parseAmzDate(text: string): number | undefined {
  if (text.length !== 16 || text[8] !== 'T' || text[15] !== 'Z') return undefined
  const year = readDigits(text, 0, 4)
  const month = readDigits(text, 4, 6)
  const day = readDigits(text, 6, 8)
  const hour = readDigits(text, 9, 11)
  const minute = readDigits(text, 11, 13)
  const second = readDigits(text, 13, 15)
  // Date.UTC takes years up to 99 for ones of the last century, and rolls 30 February over to March.
  if (year < 100 || month < 1 || month > 12) return undefined
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const epochMs = Date.UTC(year, month - 1, day, hour, minute, second)
  return new Date(epochMs).getUTCDate() === day ? epochMs : undefined
}

// NaN when one is not a digit.
function readDigits(text: string, from: number, to: number): number {
  let value = 0
  for (let index = from; index < to; index += 1) {
    const digit = text.charCodeAt(index) - 0x30
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN
  }
  return value
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
  if (signedAtMs > nowMs + skewMs) {
    const limit = formatAmzDate(nowMs + skewMs)
    const message = `Signature not yet current: ${formatAmzDate(signedAtMs)} is still later than ${limit} (${formatAmzDate(nowMs)} + ${minutes} min.)`
    return { kind: 'not-yet-valid', message }
  }
  if (expiresSeconds !== undefined) {
    const endsAtMs = signedAtMs + expiresSeconds * 1000
    if (nowMs <= endsAtMs) return undefined
    const message = `Signature expired: ${formatAmzDate(endsAtMs)} is now earlier than ${formatAmzDate(nowMs)}`
    return { kind: 'presign-expired', message }
  }
  if (signedAtMs >= nowMs - skewMs) return undefined
  const limit = formatAmzDate(nowMs - skewMs)
  const message = `Signature expired: ${formatAmzDate(signedAtMs)} is now earlier than ${limit} (${formatAmzDate(nowMs)} - ${minutes} min.)`
  return { kind: 'expired', message }
}
