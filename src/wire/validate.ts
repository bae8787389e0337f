import { BerthError } from '../domain/errors.ts'
import {
  CONTROL_CONSTRAINTS,
  matchesPattern,
  type ConstrainedShape,
  type ConstraintTable,
} from './constraints.ts'

/** One broken constraint: where, what was given, what was expected. */
export interface Violation {
  /** `productionVariants.1.member.instanceType` */
  readonly path: string
  /** What was given; undefined is shown as `null`. */
  readonly value: unknown
  /** AWS's phrase after `failed to satisfy constraint: `. */
  readonly constraint: string
}

/** Accepts additional values for an enum shape, e.g. `local.*` for `ProductionVariantInstanceType`. */
export type ExtraEnumValue = (shapeName: string, value: string) => boolean

// A reply must not grow with the number of mistakes, nor repeat a large value: both come from the caller.
const VIOLATIONS_MAX = 100
const SHOWN_VALUE_MAX = 2048

interface Walk {
  readonly table: ConstraintTable
  readonly isExtraEnumValue: ExtraEnumValue
  readonly violations: Violation[]
}

/** Accepts the operator's own instance types beside AWS's. Source: DESIGN.md 3.3. */
export const isLocalInstanceType: ExtraEnumValue = (shapeName, value) =>
  shapeName === 'ProductionVariantInstanceType' && /^local\.[a-z0-9][a-z0-9.-]{0,61}$/.test(value)

/** All broken constraints of a value, in the order of the service model; at most {@link VIOLATIONS_MAX}. */
export function findViolations(
  shapeName: string,
  value: unknown,
  isExtraEnumValue: ExtraEnumValue = () => false,
  table: ConstraintTable = CONTROL_CONSTRAINTS,
): readonly Violation[] {
  const walk: Walk = { table, isExtraEnumValue, violations: [] }
  visit(walk, shapeName, value, '')
  return walk.violations.slice(0, VIOLATIONS_MAX)
}

/**
 * AWS's sentence for broken constraints.
 *
 * Source: control-plane reference §1.3; clients and tests match on it.
 */
export function validationMessage(violations: readonly Violation[]): string {
  const errors = violations.length === 1 ? 'error' : 'errors'
  const parts = violations.map(
    ({ path, value, constraint }) =>
      `Value ${showValue(value)} at '${path}' failed to satisfy constraint: ${constraint}`,
  )
  return `${violations.length} validation ${errors} detected: ${parts.join('; ')}`
}

/**
 * Refuses an input that breaks a constraint of the service model.
 *
 * @throws BerthError `ValidationException`: naming every broken constraint.
 */
export function assertValid(
  operationName: string,
  input: unknown,
  isExtraEnumValue: ExtraEnumValue = () => false,
): void {
  const shapeName = CONTROL_CONSTRAINTS.operations[operationName]
  if (shapeName === undefined) throw new Error(`no constraints for operation ${operationName}`)
  const violations = findViolations(shapeName, input, isExtraEnumValue)
  if (violations.length > 0) {
    throw new BerthError('ValidationException', validationMessage(violations))
  }
}

function visit(walk: Walk, shapeName: string, value: unknown, path: string): void {
  if (walk.violations.length >= VIOLATIONS_MAX) return
  const shape = findConstrained(walk.table, shapeName)
  for (const constraint of brokenConstraints(walk, shapeName, value)) {
    walk.violations.push({ path, value, constraint })
  }
  if (shape.members !== undefined && isObject(value)) visitMembers(walk, shape, value, path)
  if (shape.member !== undefined && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      visit(walk, shape.member, item, join(path, `${index + 1}.member`))
    }
  }
  if (shape.value !== undefined && isObject(value)) visitEntries(walk, shape, value, path)
}

function visitMembers(
  walk: Walk,
  { members = {}, required = [] }: ConstrainedShape,
  value: Readonly<Record<string, unknown>>,
  path: string,
): void {
  for (const [name, member] of Object.entries(members)) {
    const given = value[name]
    const memberPath = join(path, name.charAt(0).toLowerCase() + name.slice(1))
    if (given !== undefined) visit(walk, member.shape, given, memberPath)
    else if (required.includes(name)) {
      const constraint = 'Member must not be null'
      walk.violations.push({ path: memberPath, value: undefined, constraint })
    }
  }
}

// A map is reported as a whole, with all rules of its keys or values, once each.
function visitEntries(
  walk: Walk,
  shape: ConstrainedShape,
  value: Readonly<Record<string, unknown>>,
  path: string,
): void {
  const sides: readonly (readonly [string, string | undefined, readonly unknown[]])[] = [
    ['Map keys', shape.key, Object.keys(value)],
    ['Map value', shape.value, Object.values(value)],
  ]
  for (const [label, shapeName, items] of sides) {
    if (shapeName === undefined) continue
    if (items.every((item) => brokenConstraints(walk, shapeName, item).length === 0)) continue
    const rules = listRules(findConstrained(walk.table, shapeName)).join(', ')
    walk.violations.push({
      path,
      value,
      constraint: `${label} must satisfy constraint: [${rules}]`,
    })
  }
}

function brokenConstraints(walk: Walk, shapeName: string, value: unknown): readonly string[] {
  const shape = findConstrained(walk.table, shapeName)
  const broken: string[] = []
  if (typeof value === 'string' && shape.enum?.includes(value) === false) {
    if (!walk.isExtraEnumValue(shapeName, value)) broken.push(enumRule(shape.enum))
  }
  const size = sizeOf(value)
  if (size !== undefined && shape.max !== undefined && size > shape.max) {
    broken.push(boundRule(shape, 'less', shape.max))
  }
  if (size !== undefined && shape.min !== undefined && size < shape.min) {
    broken.push(boundRule(shape, 'greater', shape.min))
  }
  if (typeof value === 'string' && !matchesPattern(shape, value)) {
    broken.push(patternRule(shape.pattern ?? ''))
  }
  return broken
}

// The number that bounds apply to: the value of a number, the length of everything else.
function sizeOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value === 'string' || Array.isArray(value)) return value.length
  return isObject(value) && !(value instanceof Date) ? Object.keys(value).length : undefined
}

function listRules(shape: ConstrainedShape): readonly string[] {
  const rules: string[] = []
  if (shape.max !== undefined) rules.push(boundRule(shape, 'less', shape.max))
  if (shape.min !== undefined) rules.push(boundRule(shape, 'greater', shape.min))
  if (shape.pattern !== undefined) rules.push(patternRule(shape.pattern))
  if (shape.enum !== undefined) rules.push(enumRule(shape.enum))
  return rules
}

function boundRule({ type }: ConstrainedShape, side: 'less' | 'greater', bound: number): string {
  const isNumber = type === 'integer' || type === 'long' || type === 'float' || type === 'double'
  return `Member must have ${isNumber ? 'value' : 'length'} ${side} than or equal to ${bound}`
}

function patternRule(pattern: string): string {
  return `Member must satisfy regular expression pattern: ${pattern}`
}

function enumRule(values: readonly string[]): string {
  return `Member must satisfy enum value set: [${values.join(', ')}]`
}

// The service prints values as Java does: `[a, b]`, `{key=value}`, and null without quotes.
function showValue(value: unknown): string {
  if (value === undefined) return 'null'
  const text = showPlain(value)
  return `'${text.length > SHOWN_VALUE_MAX ? `${text.slice(0, SHOWN_VALUE_MAX)}…` : text}'`
}

function showPlain(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(showPlain).join(', ')}]`
  if (isObject(value)) {
    const entries = Object.entries(value).map(([key, item]) => `${key}=${showPlain(item)}`)
    return `{${entries.join(', ')}}`
  }
  return String(value)
}

function findConstrained(table: ConstraintTable, name: string): ConstrainedShape {
  const shape = table.shapes[name]
  if (shape === undefined) throw new Error(`no constraints for shape ${name}`)
  return shape
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
