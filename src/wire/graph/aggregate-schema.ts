import { z } from 'zod'
import { METHODS, PLAIN_METHODS, VOTE_METHODS } from '../../domain/graph/graph.ts'
import type { Aggregate, NodeRef } from '../../domain/graph/graph.ts'

const CLASSES = 'Names of the classes, where models answer by number; every vote is for one of them'

/** How answers become one: the name of a method, or an object with it and its options. */
export function aggregateSchema(ref: z.ZodType<NodeRef>): z.ZodType<Aggregate<NodeRef>> {
  const vote = { classes: z.array(z.string()).min(2).max(10_000).optional().describe(CLASSES) }
  const fusion = {
    constant: z.number().min(0).max(10_000).default(60),
    itemsMax: z.int().min(1).max(10_000).default(100),
  }
  const plain = PLAIN_METHODS.map((method) => z.strictObject({ method: z.literal(method) }))
  const votes = VOTE_METHODS.map((method) => z.strictObject({ method: z.literal(method), ...vote }))
  const options = z.discriminatedUnion('method', [
    z.strictObject({ method: z.literal('stacking'), model: ref.describe('The stacking model') }),
    z.strictObject({ method: z.literal('rank-fusion'), ...fusion }),
    ...plain,
    ...votes,
  ])
  const byName = z
    .enum(METHODS.filter((method) => method !== 'stacking'))
    .transform((method) => options.parse({ method }))
  return z.union([byName, options]).transform((raw): Aggregate<NodeRef> => {
    switch (raw.method) {
      case 'majority-vote':
      case 'weighted-vote':
      case 'soft-vote':
        return { kind: raw.method, classes: raw.classes }
      case 'rank-fusion':
        return { kind: raw.method, constant: raw.constant, itemsMax: raw.itemsMax }
      case 'stacking':
        return { kind: raw.method, node: raw.model }
      case 'collect':
      case 'concat':
      case 'first-success':
      case 'mean':
      case 'weighted-mean':
      case 'median':
      case 'min':
      case 'max':
        return { kind: raw.method }
    }
  })
}
