import type { JsonValue } from '../../domain/json.ts'
import { ExpressionFailure } from '../../wire/graph/expression.ts'
import type { Document } from './document.ts'
import { NodeFailure } from './node-failure.ts'
import type { Run, Scope } from './run.ts'

/** The value of an expression for an input. @throws NodeFailure 400: it has none. */
export function evaluateIn(text: string, input: Document, run: Run, scope: Scope): JsonValue {
  const { request, attributes } = run
  try {
    return run.machinery.evaluate(text)({
      // Values are read when they are asked for: an expression over attributes does not parse an image.
      get input() {
        return input.value
      },
      get request() {
        return request.value
      },
      attributes,
      steps: scope.steps,
    })
  } catch (error) {
    if (!(error instanceof ExpressionFailure)) throw error
    throw new NodeFailure(
      `The expression ${text} has no value for this input: ${error.message}.`,
      400,
    )
  }
}
