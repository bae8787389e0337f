/*
 * A graph as it is described: which models are asked, and how their answers become one.
 *
 * Every node takes a document and gives one, so any node fits wherever a node is wanted. `Child` is how a node names those
 * it uses: {@link NodeRef} as described, a planned node once `plan-graph.ts` has looked at it.
 */

import type { Database, FeaturesNode, LookupNode, Refusal } from './database.ts'

/** Keys from the root of the description: where a problem is shown. */
export type Place = readonly (string | number)[]

/** The text of an expression over the scope of its node (`wire/graph/expression.ts`). */
export type Expression = string

/** A node under its name in `nodes`, or written where it is used. */
export type NodeRef =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'inline'; readonly node: GraphNode<NodeRef> }

/** A described graph: valid in its parts, not yet as a whole. */
export interface Graph {
  readonly root: NodeRef
  readonly nodeByName: ReadonlyMap<string, GraphNode<NodeRef>>
  readonly databaseByName: ReadonlyMap<string, Database>
  /** For one answer of the whole graph; undefined leaves it to whoever calls. */
  readonly timeoutMs: number | undefined
  /** Where latencies and failures of branches are told to the caller. */
  readonly report: Report
}

/** In a header, in the body (`graph` beside the answer), or to nobody but logs and statistics. */
export const REPORTS = ['header', 'body', 'none'] as const
/** One of {@link REPORTS}. */
export type Report = (typeof REPORTS)[number]

/** What every node may have. */
export interface NodeOptions<Child> {
  readonly timeoutMs: number | undefined
  /** Answers in place of a node that failed. */
  readonly fallback: Child | undefined
}

/** One step of a graph. */
export type GraphNode<Child> = NodeOptions<Child> &
  (
    | CallNode
    | ExpressionNode
    | ScatterNode<Child>
    | SelectNode<Child>
    | CascadeNode<Child>
    | SequenceNode<Child>
    | MapNode<Child>
    | RulesNode
    | LookupNode
    | FeaturesNode
  )

/** Who is called. */
export type CallTarget =
  | { readonly kind: 'endpoint'; readonly name: string; readonly variant: string | undefined }
  /** Another container of the same model, by its hostname. */
  | { readonly kind: 'container'; readonly name: string }

/** Asks a model. */
export interface CallNode {
  readonly kind: 'call'
  readonly target: CallTarget
  /** Of a multi-model endpoint or container. */
  readonly targetModel:
    | { readonly kind: 'name'; readonly name: string }
    | { readonly kind: 'expression'; readonly expression: Expression }
    | undefined
  readonly contentType: string | undefined
  readonly accept: string | undefined
  /** The body that is sent; undefined sends the node's input as it came. */
  readonly request: Expression | undefined
  /** What is made of the reply, which is `input` there; undefined leaves it as it came. */
  readonly result: Expression | undefined
  readonly hedge: HedgeOptions | undefined
  readonly breaker: BreakerOptions | undefined
}

/** When a second, identical call is sent because the first is slow. */
export interface HedgeOptions {
  /** Undefined learns the 95th percentile of the target's latency. */
  readonly afterMs: number | undefined
  /** Second calls as a share of first ones, 0 to 100. */
  readonly budgetPercent: number
}

/** When a target that fails is left alone. */
export interface BreakerOptions {
  /** Failures in a row. */
  readonly failureCount: number
  readonly openMs: number
}

/** Makes a value from the input, without asking anybody. */
export interface ExpressionNode {
  readonly kind: 'expression'
  readonly expression: Expression
}

/** One of the nodes that are asked at the same time. */
export interface Branch<Child> {
  readonly name: string
  readonly node: Child
  /** Positive; counts where the aggregate weighs. */
  readonly weight: number
  readonly timeoutMs: number | undefined
}

/** When a scatter has waited enough: for all branches, for the quorum, or until the others cannot change a vote. */
export const WAITS = ['all', 'quorum', 'decision'] as const
/** One of {@link WAITS}. */
export type WaitFor = (typeof WAITS)[number]

/** Asks several nodes the same and makes one answer of theirs. */
export interface ScatterNode<Child> {
  readonly kind: 'scatter'
  readonly branches: readonly Branch<Child>[]
  readonly aggregate: Aggregate<Child>
  /** Fewest branches whose answers make an answer. */
  readonly quorum: number
  readonly waitFor: WaitFor
  /** What has come by then is aggregated, if it is a quorum. */
  readonly deadlineMs: number | undefined
}

/** Names of the aggregators that need nothing but the answers. */
export const PLAIN_METHODS = [
  'collect',
  'concat',
  'first-success',
  'mean',
  'weighted-mean',
  'median',
  'min',
  'max',
] as const
/** Aggregators that count classes. */
export const VOTE_METHODS = ['majority-vote', 'weighted-vote', 'soft-vote'] as const
/** All aggregators. */
export const METHODS = [...PLAIN_METHODS, ...VOTE_METHODS, 'rank-fusion', 'stacking'] as const
/** One of {@link METHODS}. */
export type Method = (typeof METHODS)[number]

/** How answers become one. */
export type Aggregate<Child> =
  | { readonly kind: (typeof PLAIN_METHODS)[number] }
  | {
      readonly kind: (typeof VOTE_METHODS)[number]
      /** Names of classes that models answer by number or by position; every vote must be for one of them. */
      readonly classes: readonly string[] | undefined
    }
  | {
      readonly kind: 'rank-fusion'
      /** Added to every rank: how little the first places count more than the next ones. */
      readonly constant: number
      readonly itemsMax: number
    }
  | {
      readonly kind: 'stacking'
      /** Is asked `{"instances": rows}`, each row all answers to it side by side in the order of the branches. */
      readonly node: Child
    }

/** Asks one of several nodes. */
export interface SelectNode<Child> {
  readonly kind: 'select'
  /** An expression over the input, or a node whose class decides. */
  readonly on:
    | { readonly kind: 'expression'; readonly expression: Expression }
    | { readonly kind: 'classifier'; readonly classifier: Child }
  readonly nodeByCase: ReadonlyMap<string, Child>
  /** For every other case; undefined refuses those. */
  readonly otherwise: Child | undefined
}

/** A node that answers what it is sure of. */
export interface CascadeStep<Child> {
  readonly node: Child
  /** Over the prediction as `input`; undefined takes its highest probability. */
  readonly confidence: Expression | undefined
  readonly atLeast: number
}

/** Asks the first; rows of whose answer it is not sure go to the next. */
export interface CascadeNode<Child> {
  readonly kind: 'cascade'
  readonly steps: readonly CascadeStep<Child>[]
  readonly last: Child
}

/** Nodes one after the other, each with the answer of the one before as its input. */
export interface SequenceNode<Child> {
  readonly kind: 'sequence'
  readonly steps: readonly { readonly name: string; readonly node: Child }[]
}

/** Asks one node for each item of a list. */
export interface MapNode<Child> {
  readonly kind: 'map'
  readonly over: Expression
  readonly node: Child
  readonly concurrencyMax: number
}

/** Refuses input that a condition holds for; other input is passed on. */
export interface RulesNode {
  readonly kind: 'rules'
  readonly rules: readonly (Refusal & { readonly when: Expression })[]
}
