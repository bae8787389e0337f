import { OipError } from './errors.ts'
import type { JsonValue } from './json.ts'
import { booleanOf, stringOf, unsignedOf } from './json-members.ts'

/** A value of a request's or response's parameters: text, a 64-bit integer, a fraction, a truth. */
export type ParameterValue = string | bigint | number | boolean

/** Parameters by name, in the order in which they were sent. */
export type Parameters = ReadonlyMap<string, ParameterValue>

interface RequestParameters {
  readonly parameters: Parameters
  /** `binary_data_output`, which says how outputs come back and no more. */
  readonly isBinaryByDefault: boolean
}

const INT64_MAX = 2n ** 63n - 1n

/**
 * Reads the `parameters` of an inference request. Those that Triton knows have the right type; the rest are the model's.
 *
 * @throws OipError in Triton's words.
 */
export function parseParameters(value: JsonValue | undefined): RequestParameters {
  const parameters = new Map<string, ParameterValue>()
  if (value === undefined) return { parameters, isBinaryByDefault: false }
  if (value.kind !== 'object') {
    const message = 'attempt to get members for non-object'
    throw new OipError('INTERNAL', `failed to get request params.: ${message}`)
  }
  let isBinaryByDefault = false
  for (const [name, member] of value.members) {
    if (name === 'binary_data_output') isBinaryByDefault = booleanOf(member, name)
    else parameters.set(name, parseParameter(name, member))
  }
  return { parameters, isBinaryByDefault }
}

function parseParameter(name: string, value: JsonValue): ParameterValue {
  switch (name) {
    case 'sequence_id':
      return isUnsigned(value) ? unsignedOf(value, name) : stringOf(value, name)
    case 'sequence_start':
    case 'sequence_end':
      return booleanOf(value, name)
    case 'priority':
    case 'timeout':
      return unsignedOf(value, name)
    default:
      if (name.startsWith('triton_')) throw invalid(RESERVED)
      return parseCustomParameter(name, value)
  }
}

/** Reads a parameter that Triton does not know. @throws OipError `INVALID_ARG`: an array, an object, or null. */
export function parseCustomParameter(name: string, value: JsonValue): ParameterValue {
  if (value.kind === 'string' || value.kind === 'boolean') return value.value
  if (value.kind === 'number') {
    const { integer } = value
    return integer !== undefined && integer <= INT64_MAX ? integer : value.value
  }
  throw invalid(
    `parameter '${name}' has invalid type. It should be either 'int', 'bool', or 'string'.`,
  )
}

function isUnsigned(value: JsonValue): boolean {
  return value.kind === 'number' && value.integer !== undefined && value.integer >= 0n
}

const RESERVED =
  "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified."

function invalid(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
