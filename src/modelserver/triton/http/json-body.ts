import { parseJson } from '../../../wire/oip/json.ts'
import type { JsonValue } from '../../../wire/oip/json.ts'
import { plainOf } from '../../../wire/oip/json-members.ts'
import { ServingError } from '../serving-error.ts'

/**
 * Parses a body that is JSON; whatever is no object has no members.
 *
 * @throws OipError INTERNAL, as Triton has it for whatever cannot be parsed.
 */
export function parseJsonBody(body: Uint8Array): Readonly<Record<string, unknown>> {
  const value = plainOf(parseJson(body))
  return isRecord(value) ? value : {}
}

/** As {@link parseJsonBody}, of a body that may be empty. @throws OipError INTERNAL */
export function parseOptionalJsonBody(body: Uint8Array): Readonly<Record<string, unknown>> {
  return body.byteLength === 0 ? {} : parseJsonBody(body)
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
  throw wrongJsonType('boolean')
}

/** @throws ServingError INTERNAL: no string. */
export function stringValue(value: JsonValue): string {
  if (value.kind !== 'string') throw wrongJsonType('string')
  return value.value
}

/** @throws ServingError INTERNAL: no integer from 0 to 2^64 - 1. */
export function unsignedValue(value: JsonValue): bigint {
  if (value.kind !== 'number' || value.integer === undefined || value.integer < 0n) {
    throw wrongJsonType('unsigned-integer')
  }
  return value.integer
}

/** A value of another type than it has to have, in Triton's words. */
export function wrongJsonType(
  wanted: 'boolean' | 'string' | 'unsigned-integer' | 'array',
): ServingError {
  return new ServingError('INTERNAL', `attempt to access JSON non-${wanted} as ${wanted}`)
}
