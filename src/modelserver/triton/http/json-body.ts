import { Buffer } from 'node:buffer'
import { ServingError } from '../serving-error.ts'

/**
 * Parses a body that is a JSON object, or empty.
 *
 * @throws ServingError INTERNAL, as Triton has it for whatever cannot be parsed.
 */
export function parseJsonBody(body: Uint8Array): Readonly<Record<string, unknown>> {
  if (body.byteLength === 0) return {}
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ServingError('INTERNAL', `failed to parse the request JSON buffer: ${reason}`)
  }
  if (isRecord(value)) return value
  throw new ServingError('INTERNAL', 'failed to parse the request JSON buffer: not a JSON object')
}

/** Whether a value is an object with members. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member that is true or false; undefined when it is not there. @throws ServingError INTERNAL. */
export function booleanMember(
  object: Readonly<Record<string, unknown>>,
  name: string,
): boolean | undefined {
  const value = object[name]
  if (value === undefined || typeof value === 'boolean') return value
  const message = `Unable to parse '${name}': attempt to access JSON non-boolean as boolean`
  throw new ServingError('INTERNAL', message)
}
