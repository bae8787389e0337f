import { z } from 'zod'
import type { GraphNode, NodeRef } from '../../domain/graph/graph.ts'
import type { ChooseKind, KindKey } from './graph-schema.ts'
import { chooseMeantKey, describeUnknownKey, describeUnknownKeys } from './unknown-key.ts'

type Kind = z.ZodType<GraphNode<NodeRef>>

/**
 * Validates a node by the one kind whose key it has.
 *
 * A union would try every kind, and every kind its children: a graph of 30 nested fallbacks would take years. It would also
 * say eleven times what is wrong.
 */
export const validateByKey: ChooseKind = (kindByKey) =>
  z.unknown().transform((raw, context): GraphNode<NodeRef> => {
    const refuse = (message: string): never => {
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
    const known = Object.keys(kindByKey).filter(isKindKey)
    const kinds = known.join(', ')
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      return refuse(`A node is an object with one of the keys ${kinds}, or the name of a node.`)
    }
    const keys = known.filter((key) => Object.hasOwn(raw, key))
    const [key, second] = keys
    if (key === undefined) {
      const misspelt = Object.keys(raw).find((name) => chooseMeantKey(name, known) !== undefined)
      if (misspelt === undefined) return refuse(`A node has one of the keys ${kinds}.`)
      const message = `${describeUnknownKey(misspelt, known)} A node has one of the keys ${kinds}.`
      context.addIssue({ code: 'custom', message, path: [misspelt] })
      return z.NEVER
    }
    if (second !== undefined) return refuse(`A node is one thing, not both ${key} and ${second}.`)
    const parsed = kindByKey[key].safeParse(raw, { error: describeUnknownKeys })
    if (parsed.success) return parsed.data
    for (const { path, message } of flattenIssues(parsed.error.issues)) {
      context.addIssue({ code: 'custom', message, path: [...path] })
    }
    return z.NEVER

    function isKindKey(name: string): name is KindKey {
      return Object.hasOwn(kindByKey, name)
    }
  })

/** Offers every kind, for a schema that is published. */
export const offerAll: ChooseKind = (kindByKey) => {
  const [first, ...others] = Object.values<Kind>(kindByKey)
  if (first === undefined) throw new Error('there are no kinds of nodes')
  return z.union([first, ...others])
}

/** One problem with a value. */
export interface SchemaIssue {
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** The problems that zod found; of alternatives, those of the one that was most likely meant. */
export function flattenIssues(issues: readonly z.core.$ZodIssue[]): readonly SchemaIssue[] {
  return issues.flatMap((issue): readonly SchemaIssue[] => {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))
    if (issue.code === 'invalid_union') {
      const meant = chooseMeant(issue.errors)
      if (meant === undefined) return [{ path, message: issue.message }]
      return flattenIssues(meant).map((inner) => ({ ...inner, path: [...path, ...inner.path] }))
    }
    if (issue.code === 'unrecognized_keys') {
      const messages = issue.message.split('\n')
      return issue.keys.map((key, index) => {
        return { path: [...path, key], message: messages[index] ?? issue.message }
      })
    }
    if (issue.code === 'invalid_key') {
      const [first] = issue.issues
      return [{ path, message: `The key must be ${first?.message ?? 'another'}.` }]
    }
    const isForm = issue.code === 'invalid_format'
    return [{ path, message: isForm ? `It must be ${issue.message}.` : issue.message }]
  })
}

// An alternative of another type was not meant; nor one whose fixed words differ. Then the one with the least wrong.
function chooseMeant(
  alternatives: readonly (readonly z.core.$ZodIssue[])[],
): readonly z.core.$ZodIssue[] | undefined {
  const [best] = alternatives
    .map((issues) => ({ issues, distance: issues.reduce((sum, issue) => sum + weigh(issue), 0) }))
    .toSorted((a, b) => a.distance - b.distance)
  return best?.issues
}

const OTHER_TYPE = 1000
const OTHER_WORD = 100
const NO_KIND = 50

function weigh(issue: z.core.$ZodIssue): number {
  if (issue.code === 'invalid_type' && issue.path.length === 0) return OTHER_TYPE
  if (issue.code === 'invalid_value') return OTHER_WORD
  if (issue.code === 'custom' && issue.path.length === 0) return NO_KIND
  return 1
}
