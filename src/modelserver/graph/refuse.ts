import type { Refusal } from '../../domain/graph/database.ts'
import type { Document } from './document.ts'
import { evaluateIn } from './evaluate-in.ts'
import { NodeFailure } from './node-failure.ts'
import type { Run, Scope } from './run.ts'

/** The failure that a description words. */
export function refusalOf(
  { message, status }: Refusal,
  input: Document,
  run: Run,
  scope: Scope,
): NodeFailure {
  if (message.kind === 'text') return new NodeFailure(message.text, status)
  const text = evaluateIn(message.expression, input, run, scope)
  return new NodeFailure(typeof text === 'string' ? text : JSON.stringify(text), status)
}
