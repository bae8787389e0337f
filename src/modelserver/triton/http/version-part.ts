import { parseVersion } from '../parse-version.ts'
import type { HttpCall } from './http-call.ts'

/** The version that a path names; undefined for the latest. @throws ServingError INVALID_ARG */
export function versionOf({ parts }: HttpCall): number | undefined {
  return parseVersion(parts['version'] ?? '')
}

/** The model that a path names. */
export function modelOf({ parts }: HttpCall): string {
  return parts['model'] ?? ''
}
