import { readFileSync } from 'node:fs'

interface Shape {
  readonly type: string
  readonly required?: readonly string[]
  readonly members?: Readonly<Record<string, { readonly shape: string }>>
  /** Of the items of a list. */
  readonly member?: string
  /** Of the values of a map. */
  readonly value?: string
  readonly min?: number
  readonly max?: number
  readonly pattern?: string
  readonly enum?: readonly string[]
}

interface ServiceShapes {
  readonly operations: Readonly<Record<string, string | null>>
  readonly shapes: Readonly<Record<string, Shape>>
}

const FILE = new URL('../../src/wire/generated/sagemaker-output-shapes.json', import.meta.url)
const SERVICE = (JSON.parse(readFileSync(FILE, 'utf8')) as { sagemaker: ServiceShapes }).sagemaker

/**
 * What in a reply of the control plane is not as the service model says: unknown members, missing required ones, wrong
 * JSON types, lengths, ranges, patterns, enums.
 */
export function outputProblems(operation: string, body: string): readonly string[] {
  const shapeName = SERVICE.operations[operation]
  if (shapeName === undefined) return [`${operation} is not in the table of output shapes`]
  if (shapeName === null)
    return body === '' || body === '{}' ? [] : [`expected no body, got ${body}`]
  return problemsOf(JSON.parse(body === '' ? '{}' : body), shapeName, operation)
}

function problemsOf(value: unknown, shapeName: string, path: string): readonly string[] {
  const shape = SERVICE.shapes[shapeName]
  if (shape === undefined) return [`${path}: unknown shape ${shapeName}`]
  if (value === null) return [`${path} is null; an absent member must be left out`]
  switch (shape.type) {
    case 'structure':
      return structureProblems(value, shape, path)
    case 'list':
      if (!Array.isArray(value)) return [`${path} is not a list`]
      return [
        ...boundProblems(value.length, shape, path),
        ...value.flatMap((item, i) => problemsOf(item, shape.member ?? '', `${path}[${i}]`)),
      ]
    case 'map':
      if (!isObject(value)) return [`${path} is not a map`]
      return Object.entries(value).flatMap(([key, item]) =>
        problemsOf(item, shape.value ?? '', `${path}.${key}`),
      )
    case 'string':
      return stringProblems(value, shape, path)
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${path} is not a boolean`]
    case 'timestamp':
      return isTimestamp(value) ? [] : [`${path} is not epoch seconds: ${JSON.stringify(value)}`]
    default:
      if (typeof value !== 'number') return [`${path} is not a number`]
      if ((shape.type === 'integer' || shape.type === 'long') && !Number.isInteger(value)) {
        return [`${path} is not a whole number: ${value}`]
      }
      return boundProblems(value, shape, path)
  }
}

function structureProblems(value: unknown, shape: Shape, path: string): readonly string[] {
  if (!isObject(value)) return [`${path} is not an object`]
  const missing = (shape.required ?? []).filter((name) => value[name] === undefined)
  return [
    ...missing.map((name) => `${path}.${name} is required and missing`),
    ...Object.entries(value).flatMap(([name, item]) => {
      const member = shape.members?.[name]
      return member === undefined
        ? [`${path}.${name} is not a member of the shape`]
        : problemsOf(item, member.shape, `${path}.${name}`)
    }),
  ]
}

function stringProblems(value: unknown, shape: Shape, path: string): readonly string[] {
  if (typeof value !== 'string') return [`${path} is not a string`]
  const problems = [...boundProblems(value.length, shape, path)]
  if (shape.enum !== undefined && !shape.enum.includes(value)) {
    problems.push(`${path} is ${value}, not in its enum`)
  }
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`, 'u').test(value)) {
    problems.push(`${path} is ${value}, does not match ${shape.pattern}`)
  }
  return problems
}

function boundProblems(size: number, shape: Shape, path: string): readonly string[] {
  if (shape.min !== undefined && size < shape.min) return [`${path}: ${size} < ${shape.min}`]
  if (shape.max !== undefined && size > shape.max) return [`${path}: ${size} > ${shape.max}`]
  return []
}

// Seconds, with milliseconds as fraction; a value in milliseconds would lie far in the future.
function isTimestamp(value: unknown): boolean {
  return typeof value === 'number' && value > 1_500_000_000 && value < 10_000_000_000
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
