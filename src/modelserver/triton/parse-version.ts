import { ServingError } from './serving-error.ts'

/**
 * Parses a version that a request names; empty for the latest.
 *
 * @throws ServingError INVALID_ARG.
 */
export function parseVersion(text: string): number | undefined {
  if (text === '') return undefined
  if (/^\s*-\d/.test(text)) {
    const message = `invalid model version specified '${text}' , version should be an integral value > 0`
    throw new ServingError('INVALID_ARG', message)
  }
  // Like stol, which reads as far as there are digits.
  const version = Number.parseInt(text, 10)
  if (Number.isSafeInteger(version)) return version
  throw new ServingError(
    'INVALID_ARG',
    `failed to get model version from specified version string '${text}' (details: stol), version should be an integral value > 0`,
  )
}
