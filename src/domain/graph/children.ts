import type { Aggregate, GraphNode, Place } from './graph.ts'

/** Gives the planned form of a child; the keys lead to it from its node. */
export type MapChild<From, To> = (child: From, keys: Place) => To

/** A node with every node that it uses replaced. Visits them in the order in which they are written. */
export function mapChildren<From, To>(
  node: GraphNode<From>,
  map: MapChild<From, To>,
): GraphNode<To> {
  const { fallback } = node
  return {
    ...mapKind(node, map),
    fallback: fallback === undefined ? undefined : map(fallback, ['fallback']),
  }
}

function mapKind<From, To>(node: GraphNode<From>, map: MapChild<From, To>): GraphNode<To> {
  const common = { timeoutMs: node.timeoutMs, fallback: undefined }
  switch (node.kind) {
    case 'call':
    case 'expression':
    case 'rules':
    case 'lookup':
    case 'features':
      return { ...node, ...common }
    case 'scatter': {
      const branches = node.branches.map((branch) => {
        return { ...branch, node: map(branch.node, ['scatter', 'branches', branch.name]) }
      })
      return { ...node, ...common, branches, aggregate: mapAggregate(node.aggregate, map) }
    }
    case 'select':
      return {
        ...node,
        ...common,
        on:
          node.on.kind === 'classifier'
            ? { ...node.on, classifier: map(node.on.classifier, ['select', 'classifier']) }
            : node.on,
        nodeByCase: new Map(
          [...node.nodeByCase].map(([name, child]) => [
            name,
            map(child, ['select', 'cases', name]),
          ]),
        ),
        otherwise:
          node.otherwise === undefined ? undefined : map(node.otherwise, ['select', 'otherwise']),
      }
    case 'cascade': {
      const steps = node.steps.map((step, index) => {
        return { ...step, node: map(step.node, ['cascade', 'steps', index, 'node']) }
      })
      return { ...node, ...common, steps, last: map(node.last, ['cascade', 'last']) }
    }
    case 'sequence': {
      const steps = node.steps.map(({ name, node: child }) => {
        return { name, node: map(child, ['sequence', name]) }
      })
      return { ...node, ...common, steps }
    }
    case 'map':
      return { ...node, ...common, node: map(node.node, ['map', 'node']) }
  }
}

function mapAggregate<From, To>(
  aggregate: Aggregate<From>,
  map: MapChild<From, To>,
): Aggregate<To> {
  if (aggregate.kind !== 'stacking') return aggregate
  return { kind: 'stacking', node: map(aggregate.node, ['scatter', 'aggregate', 'model']) }
}
