import { readRows } from '../../domain/graph/aggregate/answers.ts'
import { readConfidence } from '../../domain/graph/aggregate/class-of.ts'
import { chooseUnsureRows, mergeRows, splitRequest } from '../../domain/graph/cascade.ts'
import type { CascadeNode, CascadeStep } from '../../domain/graph/graph.ts'
import type { PlannedNode } from '../../domain/graph/plan-graph.ts'
import { Document } from './document.ts'
import { evaluateIn } from './evaluate-in.ts'
import { NodeFailure } from './node-failure.ts'
import type { Run, RunNode, Scope } from './run.ts'

/** Asks step after step, each only for the rows that the one before was not sure of. @throws NodeFailure */
export async function runCascade(
  node: CascadeNode<PlannedNode>,
  input: Document,
  surroundings: { readonly run: Run; readonly scope: Scope; readonly runNode: RunNode },
): Promise<Document> {
  return ask([...node.steps, { node: node.last, confidence: undefined, atLeast: -Infinity }])

  async function ask(
    steps: readonly CascadeStep<PlannedNode>[],
    asked: Document = input,
  ): Promise<Document> {
    const [step, ...others] = steps
    if (step === undefined) throw new Error('a cascade has a last node')
    const { run, scope, runNode } = surroundings
    const startedAtMs = performance.now()
    const answer = await runNode(step.node, asked, run, scope)
    const tookMs = performance.now() - startedAtMs
    const { rows } = readRows(answer.value)
    run.branches.push({
      branch: step.node.name,
      tookMs,
      rowCount: rows.length,
      missing: undefined,
    })
    if (others.length === 0) return answer
    const confidences = rows.map((row) => confidenceOf(row, step, run, scope))
    const unsure = chooseUnsureRows(confidences, step.atLeast)
    if (unsure.length === 0) return answer
    const split = unsure.length === rows.length ? undefined : splitRequest(asked.value)
    // All of it, where all rows are unsure or the request's rows cannot be told apart.
    if (split?.rows.length !== rows.length) return ask(others, asked)
    const part = split.withRows(unsure.map((row) => split.rows[row] ?? null))
    const next = await ask(others, Document.ofValue(part))
    const merged = mergeRows(answer.value, unsure, next.value)
    if (merged !== undefined) return Document.ofValue(merged)
    const counts = `${readRows(next.value).rows.length} predictions for ${unsure.length} rows`
    throw new NodeFailure(`Node ${others[0]?.node.name} of the cascade answered ${counts}.`, 502)
  }
}

function confidenceOf(
  row: Parameters<typeof readConfidence>[0],
  { confidence }: CascadeStep<PlannedNode>,
  run: Run,
  scope: Scope,
): number | undefined {
  if (confidence === undefined) return readConfidence(row)
  const value = evaluateIn(confidence, Document.ofValue(row ?? null), run, scope)
  if (typeof value === 'number') return value
  throw new NodeFailure(`confidence gives ${JSON.stringify(value)}; a number is needed.`, 502)
}
