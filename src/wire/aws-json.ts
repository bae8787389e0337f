import { BerthError } from '../domain/errors.ts'
import { findShape, type Shape, type SimpleType } from './aws-shapes.ts'
import { operationShapes } from './operations.ts'

/** A JSON object of the API: members in PascalCase. */
export type JsonObject = Readonly<Record<string, unknown>>

const PHRASE: Readonly<Record<SimpleType, string>> = {
  string: 'a String',
  number: 'a Float',
  integer: 'an Integer',
  boolean: 'a Boolean',
  timestamp: 'milliseconds since epoch',
}
// Beyond this a Date is invalid. Source: ECMAScript, time values.
const EPOCH_MS_MAX = 8.64e15

/**
 * Parses the body of an offered SageMaker operation into a plain object.
 *
 * Timestamps become `Date`s; `null` and members that the operation does not have are dropped, so that a newer SDK
 * does not fail. Bounds and patterns are for {@link assertValid}.
 *
 * @throws BerthError `SerializationException`: not a JSON object, or a member has the wrong JSON type.
 */
export function parseJsonInput(operationName: string, body: Uint8Array): JsonObject {
  const { input } = operationShapes(operationName)
  const parsed = parseText(body)
  if (!isObject(parsed)) throw wrongType('The body must be one JSON object.')
  return parseValue(findShape(input), parsed, '') as JsonObject
}

/** Encodes the output of an operation; one without output has an empty body. `undefined` members are left out. */
export function encodeJsonOutput(operationName: string, value: unknown): string {
  const { output } = operationShapes(operationName)
  if (output === null) return ''
  return JSON.stringify(encodeValue(findShape(output), value ?? {}, output))
}

function parseText(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw wrongType('The body is not valid JSON.')
  }
}

function parseValue(shape: Shape, value: unknown, path: string): unknown {
  switch (shape.type) {
    case 'structure':
      return parseStructure(shape.members, value, path)
    case 'list':
      return parseList(findShape(shape.of), value, path)
    case 'map':
      return parseMap(findShape(shape.of), value, path)
    case 'string':
    case 'number':
    case 'integer':
    case 'boolean':
    case 'timestamp':
      return parseSimple(shape.type, value, path)
  }
}

function parseStructure(
  members: Readonly<Record<string, string>>,
  value: unknown,
  path: string,
): JsonObject {
  if (!isObject(value)) throw unexpected(value, 'structure', path)
  const parsed: Record<string, unknown> = {}
  for (const [name, type] of Object.entries(members)) {
    const member = value[name]
    if (member === undefined || member === null) continue
    parsed[name] = parseValue(findShape(type), member, join(path, lowerFirst(name)))
  }
  return parsed
}

function parseList(element: Shape, value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected(value, 'list', path)
  return value
    .map((item: unknown, index) =>
      item === null ? undefined : parseValue(element, item, join(path, `${index + 1}.member`)),
    )
    .filter((item) => item !== undefined)
}

// fromEntries defines own properties: assigning a key `__proto__` would change the object's prototype instead.
function parseMap(element: Shape, value: unknown, path: string): JsonObject {
  if (!isObject(value)) throw unexpected(value, 'map', path)
  const kept = Object.entries(value).filter(([, item]) => item !== null)
  return Object.fromEntries(
    kept.map(([key, item]) => [key, parseValue(element, item, join(path, `${key}.member`))]),
  )
}

function parseSimple(type: SimpleType, value: unknown, path: string): unknown {
  if (typeof value === 'object') throw unexpected(value, type, path)
  switch (type) {
    case 'string':
      if (typeof value === 'string') return value
      break
    case 'boolean':
      if (typeof value === 'boolean') return value
      break
    case 'number':
      if (typeof value === 'number') return value
      break
    case 'integer':
      if (Number.isSafeInteger(value)) return value
      break
    case 'timestamp':
      if (typeof value !== 'number' || Math.abs(value * 1000) > EPOCH_MS_MAX) break
      return new Date(Math.round(value * 1000))
  }
  throw wrongType(`${tokenOf(value)} can not be converted to ${PHRASE[type]}`, path)
}

// The service's words for the JSON token it met. Source: control-plane reference §1.2.
function tokenOf(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE'
  return typeof value === 'number' ? 'NUMBER_VALUE' : 'STRING_VALUE'
}

function unexpected(value: unknown, expected: string, path: string): BerthError {
  if (Array.isArray(value)) return wrongType('Start of list found where not expected', path)
  if (isObject(value)) return wrongType('Start of structure or map found where not expected', path)
  return wrongType(`Expected ${expected} or null`, path)
}

// The service does not say where; a caller with a large config would have to guess.
function wrongType(message: string, path = ''): BerthError {
  return new BerthError('SerializationException', path === '' ? message : `${message} at '${path}'`)
}

function encodeValue(shape: Shape, value: unknown, name: string): unknown {
  switch (shape.type) {
    case 'structure':
      return encodeStructure(shape.members, value, name)
    case 'list':
      if (!Array.isArray(value)) throw bug(name, shape.type)
      return value.map((item) => encodeValue(findShape(shape.of), item, name))
    case 'map':
      if (!isObject(value)) throw bug(name, shape.type)
      return Object.fromEntries(
        Object.entries(value)
          .filter(([, item]) => item !== undefined)
          .map(([key, item]) => [key, encodeValue(findShape(shape.of), item, name)]),
      )
    case 'string':
    case 'number':
    case 'integer':
    case 'boolean':
    case 'timestamp':
      return encodeSimple(shape.type, value, name)
  }
}

function encodeStructure(
  members: Readonly<Record<string, string>>,
  value: unknown,
  name: string,
): JsonObject {
  if (!isObject(value)) throw bug(name, 'structure')
  const encoded: Record<string, unknown> = {}
  for (const [member, type] of Object.entries(members)) {
    const given = value[member]
    if (given !== undefined) {
      encoded[member] = encodeValue(findShape(type), given, `${name}.${member}`)
    }
  }
  return encoded
}

function encodeSimple(type: SimpleType, value: unknown, name: string): unknown {
  switch (type) {
    case 'timestamp':
      // Seconds with the milliseconds as fraction; an ISO string breaks boto3 and the JavaScript SDK.
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime() / 1000
      break
    case 'string':
    case 'boolean':
      if (typeof value === type) return value
      break
    case 'integer':
      if (Number.isSafeInteger(value)) return value
      break
    case 'number':
      if (Number.isFinite(value)) return value
      break
  }
  throw bug(name, type)
}

function bug(name: string, expected: string): Error {
  return new Error(`cannot encode ${name}: not a ${expected}`)
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}
