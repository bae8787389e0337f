import { z } from 'zod'
import type { BreakerOptions, GraphNode, NodeRef } from '../../domain/graph/graph.ts'
import { compileExpression, ExpressionFailure } from './expression.ts'

/** How a node is named where it is used. */
export type Ref = z.ZodType<NodeRef>
/** One kind of node as it is written. */
export type Kind = z.ZodType<GraphNode<NodeRef>>

const TIMEOUT_MS_MAX = 3_600_000
/** Branches, steps, cases or rules of one node. */
export const BRANCHES_MAX = 64

/** Name of a node, branch, step or database. */
export const NAME = z
  .string()
  .regex(
    /^[A-Za-z][A-Za-z0-9_-]{0,62}$/,
    'a name: a letter, then letters, digits, _ or -, at most 63',
  )
/** Name of an endpoint, variant or container. */
export const ENDPOINT_NAME = z
  .string()
  .regex(/^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$/, 'the name of an endpoint or container')
/** A time limit. */
export const TIMEOUT_MS = z.int().min(1).max(TIMEOUT_MS_MAX)

/** An expression that compiles. */
export const EXPRESSION = z
  .string()
  .superRefine((text, issue) => {
    try {
      compileExpression(text)
    } catch (error) {
      if (!(error instanceof ExpressionFailure)) throw error
      issue.addIssue({ code: 'custom', message: `The expression is wrong: ${error.message}.` })
    }
  })
  .describe('CEL over input, request, attributes and steps')

/** When a target that fails is left alone. */
export const BREAKER = z
  .strictObject({
    failures: z.int().min(1).max(1000).default(5).describe('Failures in a row that open it'),
    openMs: TIMEOUT_MS.default(10_000).describe('How long calls are refused then'),
  })
  .transform(({ failures, openMs }): BreakerOptions => ({ failureCount: failures, openMs }))
  .describe('Leaves a target alone that keeps failing')

/** What every node may have. */
export function commonOf(ref: Ref) {
  return {
    timeoutMs: TIMEOUT_MS.optional().describe('For one answer of this node'),
    fallback: ref.optional().describe('Answers in place of this node when it fails'),
  }
}

/** The same as the nouns have it: absent and undefined are not the same to them. */
export function filled<
  Options extends { timeoutMs?: number | undefined; fallback?: NodeRef | undefined },
>(options: Options) {
  return { timeoutMs: options.timeoutMs, fallback: options.fallback }
}

/** Whether an object has so many keys. */
export function isWithin(object: object, min: number, max: number): boolean {
  const { length } = Object.keys(object)
  return length >= min && length <= max
}
