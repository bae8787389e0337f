import type { CallTarget } from '../../domain/graph/graph.ts'
import type { PlannedNode } from '../../domain/graph/plan-graph.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { Evaluate } from '../../wire/graph/expression.ts'
import type { Databases } from './data/databases.ts'
import type { Document } from './document.ts'
import type { CallTargetOf } from './endpoint-caller.ts'
import type { Guard } from './guard.ts'

/** What every answer of a graph uses. */
export interface Machinery {
  readonly evaluate: (text: string) => Evaluate
  readonly callerOf: (target: CallTarget) => CallTargetOf
  /** Hedging and circuit breaker of a call, by the name of its node. */
  readonly guardOf: (nodeName: string) => Guard | undefined
  readonly databases: Pick<Databases, 'findRows' | 'table'>
  readonly recordNode: (nodeName: string, tookMs: number, failure: string | undefined) => void
}

/** One answer on its way. */
export interface Run {
  readonly machinery: Machinery
  readonly request: Document
  readonly attributes: JsonObject
  /** Headers of the caller that every model gets. */
  readonly passedHeaders: Readonly<Record<string, string>>
  readonly depth: number
  /** Latencies and failures of branches, in the order in which they ended. */
  readonly branches: BranchReport[]
}

/** How a branch of a scatter, or a step of a cascade, went. */
export interface BranchReport {
  readonly branch: string
  /** Predictions that a step of a cascade was asked for. */
  readonly rowCount?: number
  readonly tookMs: number
  /** Why it is not in the answer. */
  readonly missing: string | undefined
}

/** Where a node stands within a run. */
export interface Scope {
  readonly steps: JsonObject
  readonly signal: AbortSignal
}

/** Answers an input by a node and all that it uses. @throws NodeFailure; whatever the signal aborted with. */
export type RunNode = (
  planned: PlannedNode,
  input: Document,
  run: Run,
  scope: Scope,
) => Promise<Document>
