import { mapChildren } from './children.ts'
import type { Database, FeaturesNode, LookupNode } from './database.ts'
import { findDatabaseProblem } from './find-database-problem.ts'
import type { CallTarget, Graph, GraphNode, NodeRef, Place, Report, ScatterNode } from './graph.ts'

/** A node whose own nodes are planned. Nodes that are used in several places are one object. */
export interface PlannedNode {
  /** Its name in `nodes`, or the keys that lead to it: `graph.tree`. In reports, statistics and logs. */
  readonly name: string
  readonly step: GraphNode<PlannedNode>
}

/** A graph that can run. */
export interface GraphPlan {
  readonly root: PlannedNode
  readonly timeoutMs: number | undefined
  readonly report: Report
  /** Every node that can be reached, children before those who use them. */
  readonly nodes: readonly PlannedNode[]
  readonly databaseByName: ReadonlyMap<string, Database>
}

/** Something wrong with a description. */
export interface GraphProblem {
  readonly place: Place
  readonly message: string
}

/** A plan, or everything that is wrong. */
export type PlanResult =
  | { readonly kind: 'plan'; readonly plan: GraphPlan }
  | { readonly kind: 'problems'; readonly problems: readonly GraphProblem[] }

/** Nodes in one another: past this a graph is a mistake, or an attack on the stack. */
export const DEPTH_MAX = 32

/**
 * Resolves the names of a graph. Pure.
 *
 * Refused are names that nobody has, nodes that reach themselves (no answer would ever come of them), nodes that nobody uses
 * (nearly always a misspelt name), and scatters whose numbers contradict each other.
 */
export function planGraph(graph: Graph): PlanResult {
  const planner = new Planner(graph)
  const root = planner.resolve(graph.root, { name: 'graph', place: ['graph'], trail: [] })
  for (const name of graph.nodeByName.keys()) {
    if (planner.isUsed(name)) continue
    planner.problems.push({ place: ['nodes', name], message: `Node ${name} is used by nobody.` })
  }
  const { problems, nodes } = planner
  const { databaseByName } = graph
  for (const name of databaseByName.keys()) {
    if (planner.databases.has(name)) continue
    const message = `Database ${name} is used by nobody.`
    problems.push({ place: ['databases', name], message })
  }
  if (root === undefined || problems.length > 0) return { kind: 'problems', problems }
  const { timeoutMs, report } = graph
  return { kind: 'plan', plan: { root, timeoutMs, report, nodes, databaseByName } }
}

/** The targets that a plan calls, each once. */
export function listTargets(plan: GraphPlan): readonly CallTarget[] {
  const targets = plan.nodes.flatMap(({ step }) => (step.kind === 'call' ? [step.target] : []))
  return [...new Map(targets.map((target) => [`${target.kind} ${target.name}`, target])).values()]
}

interface Position {
  readonly name: string
  readonly place: Place
  /** Names of the nodes on the way here. */
  readonly trail: readonly string[]
}

class Planner {
  readonly problems: GraphProblem[] = []
  readonly nodes: PlannedNode[] = []
  /** Names of those that are used. */
  readonly databases = new Set<string>()
  readonly #graph: Graph
  readonly #plannedByName = new Map<string, PlannedNode | undefined>()
  #depth = 0

  constructor(graph: Graph) {
    this.#graph = graph
  }

  isUsed(name: string): boolean {
    return this.#plannedByName.has(name)
  }

  resolve(ref: NodeRef, position: Position): PlannedNode | undefined {
    return ref.kind === 'inline'
      ? this.#plan(ref.node, position)
      : this.#resolveNamed(ref.name, position)
  }

  #resolveNamed(name: string, { place, trail }: Position): PlannedNode | undefined {
    const start = trail.indexOf(name)
    if (start >= 0) {
      const circle = [...trail.slice(start), name].join(' → ')
      return this.#refuse(place, `Node ${name} reaches itself: ${circle}.`)
    }
    if (this.#plannedByName.has(name)) return this.#plannedByName.get(name)
    const node = this.#graph.nodeByName.get(name)
    if (node === undefined) {
      const known = [...this.#graph.nodeByName.keys()].join(', ')
      const which = known === '' ? 'The graph has no named nodes.' : `Named nodes: ${known}.`
      return this.#refuse(place, `There is no node ${name}. ${which}`)
    }
    const planned = this.#plan(node, {
      name,
      place: ['nodes', name],
      trail: [...trail, name],
    })
    this.#plannedByName.set(name, planned)
    return planned
  }

  #plan(node: GraphNode<NodeRef>, { name, place, trail }: Position): PlannedNode | undefined {
    if (this.#depth >= DEPTH_MAX) {
      return this.#refuse(place, `Nodes lie in one another more than ${DEPTH_MAX} deep.`)
    }
    this.#depth += 1
    if (node.kind === 'scatter') this.problems.push(...findScatterProblems(node, place))
    if (node.kind === 'lookup' || node.kind === 'features') this.#useDatabase(node, place)
    let isWhole = true
    const missing: PlannedNode = { name: '', step: NOTHING }
    const step = mapChildren<NodeRef, PlannedNode>(node, (child, keys) => {
      const planned = this.resolve(child, {
        name: `${name}.${labelOf(keys)}`,
        place: [...place, ...keys],
        trail,
      })
      if (planned === undefined) isWhole = false
      return planned ?? missing
    })
    this.#depth -= 1
    if (!isWhole) return undefined
    const planned = { name, step }
    this.nodes.push(planned)
    return planned
  }

  #useDatabase(node: LookupNode | FeaturesNode, place: Place): void {
    this.databases.add(node.database)
    const problem = findDatabaseProblem(node, this.#graph.databaseByName)
    if (problem === undefined) return
    const { key, message } = problem
    this.problems.push({ place: [...place, node.kind, key], message })
  }

  #refuse(place: Place, message: string): undefined {
    this.problems.push({ place, message })
    return undefined
  }
}

// `graph.tree` for a branch or case, `graph.steps.0` for a step of a cascade, `graph.map` for the node of a map.
function labelOf(keys: Place): string {
  const [, ...inside] = keys
  const last = keys.at(-1)
  if (last !== 'node') return String(last)
  return inside.length === 1 ? String(keys[0]) : inside.slice(0, -1).join('.')
}

// Stands where a child could not be planned; such a plan is never given out.
const NOTHING: GraphNode<PlannedNode> = {
  kind: 'expression',
  expression: 'null',
  timeoutMs: undefined,
  fallback: undefined,
}

function findScatterProblems(scatter: ScatterNode<NodeRef>, place: Place): GraphProblem[] {
  const { branches, quorum, aggregate, waitFor } = scatter
  const at = (...keys: Place): Place => [...place, 'scatter', ...keys]
  const problems: GraphProblem[] = []
  if (quorum > branches.length) {
    const message = `quorum is ${quorum}, more than the ${branches.length} branches.`
    problems.push({ place: at('quorum'), message })
  }
  if (aggregate.kind === 'stacking' && quorum < branches.length) {
    const why = 'the stacking model takes a column of every branch'
    problems.push({ place: at('quorum'), message: `quorum must be all branches: ${why}.` })
  }
  if (waitFor === 'decision' && !isCounting(aggregate.kind)) {
    const message = `waitFor decision goes with majority-vote and weighted-vote, not with ${aggregate.kind}.`
    problems.push({ place: at('waitFor'), message })
  }
  const isWeighing = WEIGHING.has(aggregate.kind)
  const weighed = branches.find(({ weight }) => weight !== 1)
  if (!isWeighing && weighed !== undefined) {
    const message = `Branch ${weighed.name} has a weight, which ${aggregate.kind} does not use.`
    problems.push({ place: at('branches', weighed.name, 'weight'), message })
  }
  return problems
}

const WEIGHING: ReadonlySet<string> = new Set([
  'weighted-mean',
  'weighted-vote',
  'soft-vote',
  'rank-fusion',
])

function isCounting(kind: string): boolean {
  return kind === 'majority-vote' || kind === 'weighted-vote'
}
