import { OipError } from './errors.ts'
import type { JsonValue } from './json.ts'

// The words of Triton's `triton_json.h`, one per kind that a value was to have.
const KINDS = {
  string: 'attempt to access JSON non-string as string',
  boolean: 'attempt to access JSON non-boolean as boolean',
  array: 'attempt to access JSON non-array as array',
  unsigned: 'attempt to access JSON non-unsigned-integer as unsigned-integer',
} as const

/** The member with this name; undefined when there is none, or the value is no object. */
export function findMember(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return value?.kind === 'object' ? value.members.get(name) : undefined
}

/** @throws OipError `INTERNAL`: no such member. */
export function getMember(value: JsonValue, name: string): JsonValue {
  const member = findMember(value, name)
  if (member !== undefined) return member
  const message = `attempt to access non-existing object member '${name}'`
  throw new OipError('INTERNAL', `Unable to parse '${name}': ${message}`)
}

/** @throws OipError `INTERNAL`: no string. */
export function stringOf(value: JsonValue, name: string): string {
  if (value.kind !== 'string') throw wrongKind(name, 'string')
  return value.value
}

/** @throws OipError `INTERNAL`: neither true nor false. */
export function booleanOf(value: JsonValue, name: string): boolean {
  if (value.kind !== 'boolean') throw wrongKind(name, 'boolean')
  return value.value
}

/** @throws OipError `INTERNAL`: no integer from 0 to 2^64 - 1. */
export function unsignedOf(value: JsonValue, name: string, verb = 'parse'): bigint {
  if (value.kind !== 'number' || value.integer === undefined || value.integer < 0n) {
    throw wrongKind(name, 'unsigned', verb)
  }
  return value.integer
}

/** @throws OipError `INTERNAL`: no array. */
export function itemsOf(value: JsonValue, name: string): readonly JsonValue[] {
  if (value.kind !== 'array') throw wrongKind(name, 'array')
  return value.items
}

/** As JavaScript has it; integers are exact while they are small. */
export function plainOf(value: JsonValue): unknown {
  switch (value.kind) {
    case 'null':
      return null
    case 'boolean':
    case 'string':
    case 'number':
      return value.value
    case 'array':
      return value.items.map(plainOf)
    case 'object':
      return Object.fromEntries([...value.members].map(([name, member]) => [name, plainOf(member)]))
    case 'span':
      return JSON.parse(value.bytes.toString('utf8', value.start, value.end))
  }
}

export function wrongKind(name: string, kind: keyof typeof KINDS, verb = 'parse'): OipError {
  return new OipError('INTERNAL', `Unable to ${verb} '${name}': ${KINDS[kind]}`)
}
