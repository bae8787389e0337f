import { z } from 'zod'
import { REPORTS, WAITS } from '../../domain/graph/graph.ts'
import type { Graph, GraphNode, HedgeOptions, NodeRef } from '../../domain/graph/graph.ts'
import { aggregateSchema } from './aggregate-schema.ts'
import {
  BRANCHES_MAX,
  BREAKER,
  commonOf,
  ENDPOINT_NAME,
  EXPRESSION,
  filled,
  isWithin,
  NAME,
  TIMEOUT_MS,
} from './common-schema.ts'
import type { Kind, Ref } from './common-schema.ts'
import { DATABASES, dataKinds } from './data-schema.ts'
import { REFUSAL_FIELDS, requireOneMessage, toRefusal } from './refusal-schema.ts'

/*
 * What may be written in graph.yaml: the one source of what is accepted, of the published JSON Schema and of the editor's
 * completion. Every schema turns what is written into the nouns of `domain/graph/graph.ts`, with all defaults in place.
 */

const NODES_MAX = 256
const CONCURRENCY_MAX = 64

const HEDGE = z
  .strictObject({
    afterMs: TIMEOUT_MS.optional().describe('Default: the 95th percentile of what calls took'),
    budgetPercent: z.number().min(0).max(100).default(5).describe('Second calls per hundred'),
  })
  .transform(({ afterMs, budgetPercent }): HedgeOptions => ({ afterMs, budgetPercent }))
  .describe('Sends a slow call a second time; the first answer counts')

/** The key by which a kind of node is known. */
export type KindKey = 'endpoint' | 'container' | Exclude<GraphNode<unknown>['kind'], 'call'>

function callKinds(ref: Ref): Readonly<Record<'endpoint' | 'container', Kind>> {
  const shared = {
    ...commonOf(ref),
    targetModel: z.string().min(1).max(1024).optional().describe('Model of a multi-model target'),
    targetModelFrom: EXPRESSION.optional().describe('The same, as an expression'),
    contentType: z.string().min(1).max(1024).optional(),
    accept: z.string().min(1).max(1024).optional(),
    request: EXPRESSION.optional().describe('The body to send; default: the input as it came'),
    result: EXPRESSION.optional().describe('What to make of the reply, which is input here'),
    hedge: HEDGE.optional(),
    breaker: BREAKER.optional(),
  }
  type Shared = z.output<z.ZodObject<typeof shared>>
  const toCall = (raw: Shared) => {
    const { timeoutMs, fallback, contentType, accept, request, result, hedge, breaker } = raw
    const { targetModel: name, targetModelFrom: expression } = raw
    const byName = name === undefined ? undefined : { kind: 'name' as const, name }
    const targetModel =
      expression === undefined ? byName : { kind: 'expression' as const, expression }
    const options = { timeoutMs, fallback, contentType, accept, request, result, hedge, breaker }
    return { kind: 'call' as const, ...options, targetModel }
  }
  return {
    endpoint: z
      .strictObject({
        endpoint: ENDPOINT_NAME.describe('Asks an endpoint by InvokeEndpoint'),
        variant: ENDPOINT_NAME.optional(),
        ...shared,
      })
      .transform(({ endpoint: name, variant, ...raw }) => {
        return { ...toCall(raw), target: { kind: 'endpoint', name, variant } }
      }),
    container: z
      .strictObject({
        container: ENDPOINT_NAME.describe('Asks a container of the same model by its hostname'),
        ...shared,
      })
      .transform(({ container: name, ...raw }) => {
        return { ...toCall(raw), target: { kind: 'container', name } }
      }),
  }
}

function flowKinds(ref: Ref, branch: z.ZodType<RawBranch>) {
  const common = commonOf(ref)
  const scatter = z
    .strictObject({
      branches: z
        .record(NAME, branch)
        .refine((branches) => isWithin(branches, 1, BRANCHES_MAX), `1 to ${BRANCHES_MAX} branches`),
      aggregate: aggregateSchema(ref).default({ kind: 'collect' }),
      quorum: z.int().min(1).max(BRANCHES_MAX).optional().describe('Fewest answers; default: all'),
      waitFor: z.enum(WAITS).optional(),
      deadlineMs: TIMEOUT_MS.optional().describe('What has come by then is aggregated'),
    })
    .describe('Asks several nodes at the same time and makes one answer')
  const select = z
    .strictObject({
      on: EXPRESSION.optional().describe('Gives the case'),
      classifier: ref.optional().describe('A node whose class is the case'),
      cases: z.record(z.string().min(1), ref),
      otherwise: ref.optional(),
    })
    .refine((raw) => (raw.on === undefined) !== (raw.classifier === undefined), {
      message: 'select takes either on or classifier.',
    })
    .describe('Asks one of several nodes')
  return {
    scatter: z.strictObject({ scatter, ...common }).transform(({ scatter: raw, ...options }) => {
      const { branches: byName, aggregate, deadlineMs } = raw
      const branches = Object.entries(byName).map(([name, rest]) => ({ name, ...rest }))
      const isFirst = aggregate.kind === 'first-success'
      const quorum = raw.quorum ?? (isFirst ? 1 : branches.length)
      const waitFor = raw.waitFor ?? (isFirst ? ('quorum' as const) : ('all' as const))
      const scattered = { branches, aggregate, quorum, waitFor, deadlineMs }
      return { kind: 'scatter' as const, ...filled(options), ...scattered }
    }),
    select: z.strictObject({ select, ...common }).transform(({ select: raw, ...options }) => {
      const { on, classifier, cases, otherwise } = raw
      const by =
        classifier === undefined
          ? ({ kind: 'expression', expression: on ?? '' } as const)
          : ({ kind: 'classifier', classifier } as const)
      const nodeByCase = new Map(Object.entries(cases))
      return { kind: 'select' as const, ...filled(options), on: by, nodeByCase, otherwise }
    }),
  }
}

function chainKinds(ref: Ref) {
  const common = commonOf(ref)
  return {
    cascade: z
      .strictObject({
        cascade: z
          .strictObject({
            steps: z
              .array(
                z
                  .strictObject({
                    node: ref,
                    atLeast: z.number().describe('Confidence that is enough'),
                    confidence: EXPRESSION.optional().describe(
                      'Over the prediction; default: its highest probability',
                    ),
                  })
                  .transform(({ node, atLeast, confidence }) => ({ node, atLeast, confidence })),
              )
              .min(1)
              .max(BRANCHES_MAX),
            last: ref,
          })
          .describe('Asks the first; what it is not sure of goes to the next'),
        ...common,
      })
      .transform(({ cascade, ...options }) => {
        return { kind: 'cascade' as const, ...filled(options), ...cascade }
      }),
    sequence: z
      .strictObject({
        sequence: z
          .record(NAME, ref)
          .refine((steps) => isWithin(steps, 1, BRANCHES_MAX), `1 to ${BRANCHES_MAX} steps`)
          .describe('Nodes one after the other; expressions know earlier answers as steps.NAME'),
        ...common,
      })
      .transform(({ sequence, ...options }) => {
        const steps = Object.entries(sequence).map(([name, node]) => ({ name, node }))
        return { kind: 'sequence' as const, ...filled(options), steps }
      }),
    map: z
      .strictObject({
        map: z
          .strictObject({
            over: EXPRESSION.describe('Gives a list'),
            node: ref,
            concurrencyMax: z.int().min(1).max(CONCURRENCY_MAX).default(8),
          })
          .describe('Asks a node for each item of a list'),
        ...common,
      })
      .transform(({ map, ...options }) => ({ kind: 'map' as const, ...filled(options), ...map })),
  }
}

function ownKinds(ref: Ref) {
  const common = commonOf(ref)
  return {
    expression: z
      .strictObject({ expression: EXPRESSION, ...common })
      .transform(({ expression, ...options }) => {
        return { kind: 'expression' as const, ...filled(options), expression }
      }),
    rules: z
      .strictObject({
        rules: z
          .array(
            z
              .strictObject({
                when: EXPRESSION.describe('Refuses input for which this is true'),
                ...REFUSAL_FIELDS,
              })
              .superRefine(requireOneMessage),
          )
          .min(1)
          .max(BRANCHES_MAX)
          .describe('Refuses input by conditions, and passes other input on'),
        ...common,
      })
      .transform(({ rules, ...options }) => {
        const refusals = rules.map(({ when, ...refusal }) => ({ when, ...toRefusal(refusal) }))
        return { kind: 'rules' as const, ...filled(options), rules: refusals }
      }),
  }
}

interface RawBranch {
  readonly node: NodeRef
  readonly weight: number
  readonly timeoutMs: number | undefined
}

/** How one of several kinds is chosen: by its key when validating, as alternatives when published. */
export type ChooseKind = (kindByKey: Readonly<Record<KindKey, Kind>>) => Kind

/** The schema of a graph. */
export function createGraphSchema(chooseKind: ChooseKind): z.ZodType<Graph> {
  const ref: Ref = z.lazy(() =>
    z.union([
      NAME.transform((name): NodeRef => ({ kind: 'named', name })),
      node.transform((inline): NodeRef => ({ kind: 'inline', node: inline })),
    ]),
  )
  const branch: z.ZodType<RawBranch> = z.lazy(() =>
    z.union([
      ref.transform((asked) => ({ node: asked, weight: 1, timeoutMs: undefined })),
      z
        .strictObject({
          node: ref,
          weight: z.number().positive().max(1e6).default(1),
          timeoutMs: TIMEOUT_MS.optional(),
        })
        .transform(({ node: asked, weight, timeoutMs }) => ({ node: asked, weight, timeoutMs })),
    ]),
  )
  const node = chooseKind({
    ...callKinds(ref),
    ...flowKinds(ref, branch),
    ...chainKinds(ref),
    ...ownKinds(ref),
    ...dataKinds(ref),
  })
  return z
    .strictObject({
      version: z.literal(1),
      graph: ref.describe('What answers: a node, or the name of one'),
      nodes: z
        .record(NAME, node)
        .refine((nodes) => isWithin(nodes, 0, NODES_MAX), `at most ${NODES_MAX} nodes`)
        .default({})
        .describe('Nodes that are used by name'),
      databases: DATABASES,
      timeoutMs: TIMEOUT_MS.optional().describe('For the whole answer'),
      report: z.enum(REPORTS).default('header').describe('Where branches are reported'),
    })
    .transform(({ graph: root, nodes, databases, timeoutMs, report }): Graph => {
      const nodeByName = new Map(Object.entries(nodes))
      const databaseByName = new Map(Object.entries(databases))
      return { root, nodeByName, databaseByName, timeoutMs, report }
    })
}
