import { Environment, EvaluationError, ParseError } from '@marcbachmann/cel-js'
import type { JsonObject, JsonValue } from '../../domain/json.ts'

/** What an expression may speak of; only what it does speak of is read. */
export interface ExpressionScope {
  /** What the node was given. */
  readonly input: JsonValue
  /** What the graph was asked. */
  readonly request: JsonValue
  /** The caller's custom attributes, `key=value;…`, by key. */
  readonly attributes: JsonObject
  /** What the steps of the sequences around have answered, by name. */
  readonly steps: JsonObject
}

/** A compiled expression. @throws ExpressionFailure */
export type Evaluate = (scope: ExpressionScope) => JsonValue

/** An expression that is wrong, or cannot be evaluated for this input. */
export class ExpressionFailure extends Error {}

const TEXT_CHARACTERS_MAX = 4096

/**
 * Compiles an expression of the Common Expression Language (CEL): no loops without an end, no functions but those of
 * the language, no way to the world. What JSON calls a number is a double there; operators take doubles and integers together, as
 * people who write `input.amount * 2` expect.
 *
 * @throws ExpressionFailure: it is not CEL, names a variable that is not of {@link ExpressionScope}, or mixes types.
 */
export function compileExpression(text: string): Evaluate {
  if (text.length > TEXT_CHARACTERS_MAX) {
    throw new ExpressionFailure(
      `It has ${text.length} characters; ${TEXT_CHARACTERS_MAX} are allowed.`,
    )
  }
  try {
    const compiled = language().parse(text)
    const { valid, error } = compiled.check()
    if (!valid) throw new ExpressionFailure(oneLine(error?.message ?? 'It is not valid.'))
    return (scope) => evaluate(compiled, scope)
  } catch (error) {
    throw inWords(error)
  }
}

let shared: Environment | undefined

function language(): Environment {
  shared ??= createLanguage()
  return shared
}

function createLanguage(): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: false,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
  })
  for (const name of ['input', 'request', 'attributes', 'steps']) {
    environment.registerVariable(name, 'dyn')
  }
  const operators: Readonly<Record<string, (a: number, b: number) => number>> = {
    '+': (a, b) => a + b,
    '-': (a, b) => a - b,
    '*': (a, b) => a * b,
    '/': (a, b) => a / b,
  }
  for (const [operator, apply] of Object.entries(operators)) {
    const mixed = (a: bigint | number, b: bigint | number): number => apply(Number(a), Number(b))
    environment.registerOperator(`double ${operator} int`, mixed)
    environment.registerOperator(`int ${operator} double`, mixed)
  }
  return environment
}

// No copy of the scope: that would read what the expression does not speak of.
function evaluate(
  compiled: (scope: ExpressionScope) => unknown,
  scope: ExpressionScope,
): JsonValue {
  try {
    return toJson(compiled(scope))
  } catch (error) {
    throw inWords(error)
  }
}

// Integers of the language are bigints. What JSON has no word for is refused: text of it would be taken for the answer.
function toJson(value: unknown): JsonValue {
  switch (typeof value) {
    case 'bigint':
      if (Number.isSafeInteger(Number(value))) return Number(value)
      throw new ExpressionFailure(`It gives the integer ${value}, which JSON cannot carry.`)
    case 'number':
      if (Number.isFinite(value)) return value
      throw new ExpressionFailure(`It gives ${value}, which JSON cannot carry.`)
    case 'string':
    case 'boolean':
      return value
    case 'object': {
      if (value === null) return null
      if (Array.isArray(value)) return value.map(toJson)
      if (value instanceof Map) {
        return Object.fromEntries([...value].map(([key, item]) => [String(key), toJson(item)]))
      }
      const prototype: unknown = Object.getPrototypeOf(value)
      if (prototype === Object.prototype || prototype === null) {
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
      }
      throw new ExpressionFailure('It gives a value that JSON cannot carry.')
    }
    case 'undefined':
    case 'function':
    case 'symbol':
      throw new ExpressionFailure(`It gives ${typeof value}, which JSON cannot carry.`)
  }
}

function inWords(error: unknown): unknown {
  if (error instanceof ParseError || error instanceof EvaluationError) {
    return new ExpressionFailure(oneLine(error.message))
  }
  return error instanceof Error && error.name === 'TypeError'
    ? new ExpressionFailure(oneLine(error.message))
    : error
}

// The rest draws the expression with a mark under the place.
function oneLine(message: string): string {
  return message.split('\n', 1)[0] ?? message
}
