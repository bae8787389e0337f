import type { HttpCall } from './http-call.ts'

/** The version that a path names; undefined for the latest. */
export function versionOf({ parts }: HttpCall): number | undefined {
  const text = parts['version'] ?? ''
  return text === '' ? undefined : Number(text)
}

/** The model that a path names. */
export function modelOf({ parts }: HttpCall): string {
  return parts['model'] ?? ''
}
