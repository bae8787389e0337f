import { readRows } from '../../domain/graph/aggregate/answers.ts'
import { readClass } from '../../domain/graph/aggregate/class-of.ts'
import type { MapNode, RulesNode, SelectNode, SequenceNode } from '../../domain/graph/graph.ts'
import type { PlannedNode } from '../../domain/graph/plan-graph.ts'
import type { JsonValue } from '../../domain/json.ts'
import { Document } from './document.ts'
import { evaluateIn } from './evaluate-in.ts'
import { NodeFailure } from './node-failure.ts'
import { runCall } from './run-call.ts'
import { refusalOf } from './refuse.ts'
import { runCascade } from './run-cascade.ts'
import { readFeatures, runLookup } from './run-lookup.ts'
import { runScatter } from './run-scatter.ts'
import type { Run, RunNode, Scope } from './run.ts'
import { withinTime } from './time-limit.ts'

/** The only {@link RunNode}. Time limit and fallback of every node are here, and nowhere else. */
export const runNode: RunNode = async (planned, input, run, scope) => {
  const { name, step } = planned
  const startedAtMs = performance.now()
  const record = (failure?: string): void =>
    run.machinery.recordNode(name, performance.now() - startedAtMs, failure)
  try {
    const answer = await withinTime(`Node ${name}`, step.timeoutMs, scope.signal, (signal) =>
      runStep(planned, input, run, { ...scope, signal }),
    )
    record()
    return answer
  } catch (error) {
    scope.signal.throwIfAborted()
    if (!(error instanceof NodeFailure)) throw error
    record(error.message)
    if (step.fallback === undefined) throw error
    return runNode(step.fallback, input, run, scope)
  }
}

async function runStep(
  { name, step }: PlannedNode,
  input: Document,
  run: Run,
  scope: Scope,
): Promise<Document> {
  switch (step.kind) {
    case 'call':
      return runCall({ name, step }, input, run, scope)
    case 'expression':
      return Document.ofValue(evaluateIn(step.expression, input, run, scope))
    case 'scatter':
      return runScatter(step, input, { run, scope, runNode })
    case 'cascade':
      return runCascade(step, input, { run, scope, runNode })
    case 'select':
      return runNode(await chooseCase(step, input, run, scope), input, run, scope)
    case 'sequence':
      return runSequence(step, input, run, scope)
    case 'map':
      return runMap(step, input, run, scope)
    case 'rules':
      return refuseByRules(step, input, run, scope)
    case 'lookup':
      return runLookup(step, input, run, scope)
    case 'features':
      return readFeatures(step, input, run, scope)
  }
}

async function chooseCase(
  { on, nodeByCase, otherwise }: SelectNode<PlannedNode>,
  input: Document,
  run: Run,
  scope: Scope,
): Promise<PlannedNode> {
  const value =
    on.kind === 'expression'
      ? evaluateIn(on.expression, input, run, scope)
      : await classOf(on.classifier, input, run, scope)
  const chosen =
    nodeByCase.get(typeof value === 'string' ? value : JSON.stringify(value)) ?? otherwise
  if (chosen !== undefined) return chosen
  const cases = [...nodeByCase.keys()].join(', ')
  throw new NodeFailure(`There is no case ${JSON.stringify(value)}; there are ${cases}.`, 400)
}

async function classOf(
  classifier: PlannedNode,
  input: Document,
  run: Run,
  scope: Scope,
): Promise<JsonValue> {
  const { value } = await runNode(classifier, input, run, scope)
  const { rows } = readRows(value)
  try {
    const classes = new Set(rows.map((row) => readClass(row, classifier.name, undefined)))
    const [only] = classes
    if (only !== undefined && classes.size === 1) return only
  } catch (error) {
    throw new NodeFailure(error instanceof Error ? error.message : String(error), 502)
  }
  throw new NodeFailure('The rows of the request are of several classes; select takes one.', 400)
}

async function runSequence(
  { steps }: SequenceNode<PlannedNode>,
  input: Document,
  run: Run,
  scope: Scope,
): Promise<Document> {
  let answer = input
  const documents: Record<string, Document> = {}
  const answers = Object.defineProperties({ ...scope.steps }, {})
  for (const { name, node } of steps) {
    answer = await runNode(node, answer, run, { ...scope, steps: answers })
    const document = (documents[name] = answer)
    // Read when an expression asks: what passes through need not be JSON.
    Object.defineProperty(answers, name, { enumerable: true, get: () => document.value })
  }
  return answer
}

const ITEMS_MAX = 10_000

async function runMap(
  { over, node, concurrencyMax }: MapNode<PlannedNode>,
  input: Document,
  run: Run,
  scope: Scope,
): Promise<Document> {
  const items = evaluateIn(over, input, run, scope)
  if (!Array.isArray(items)) throw new NodeFailure('over gives no list.', 400)
  if (items.length > ITEMS_MAX) {
    throw new NodeFailure(`over gives ${items.length} items; ${ITEMS_MAX} are allowed.`, 400)
  }
  const answers: JsonValue[] = Array.from({ length: items.length }, () => null)
  const stop = new AbortController()
  const signal = AbortSignal.any([scope.signal, stop.signal])
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      const item = Document.ofValue(items[at])
      answers[at] = (await runNode(node, item, run, { ...scope, signal })).value
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(concurrencyMax, items.length) }, work))
  } finally {
    next = items.length
    stop.abort(new Error('another item of the map failed'))
  }
  return Document.ofValue(answers)
}

function refuseByRules({ rules }: RulesNode, input: Document, run: Run, scope: Scope): Document {
  for (const { when, ...refusal } of rules) {
    if (evaluateIn(when, input, run, scope) === true) throw refusalOf(refusal, input, run, scope)
  }
  return input
}
