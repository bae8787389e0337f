import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import { z } from 'zod'
import { planGraph } from '../../domain/graph/plan-graph.ts'
import type { GraphPlan } from '../../domain/graph/plan-graph.ts'
import type { Place } from '../../domain/graph/graph.ts'
import { flattenIssues, validateByKey } from './choose-kind.ts'
import { createGraphSchema } from './graph-schema.ts'
import { describeUnknownKeys } from './unknown-key.ts'

/** Name of the description in the model data. */
export const GRAPH_FILE = 'graph.yaml'
/** Variable of the container's environment that may hold the description instead. */
export const GRAPH_VARIABLE = 'BERTH_GRAPH'

const CHARACTERS_MAX = 256 * 1024
const PROBLEMS_MAX = 10

/** A description that is wrong: every problem with its line and column. */
export class GraphRefusal extends Error {
  readonly problems: readonly LocatedProblem[]

  constructor(source: string, problems: readonly LocatedProblem[]) {
    const shown = problems.slice(0, PROBLEMS_MAX).map(encodeProblem)
    const rest = problems.length - shown.length
    if (rest > 0) shown.push(`and ${rest} more`)
    super(`${source} is not a valid graph. ${shown.join(' ')}`)
    this.problems = problems
  }
}

/** A problem and where it is, lines and columns counted from 1. */
export interface LocatedProblem {
  readonly line: number
  readonly column: number
  /** Keys joined by dots; empty for the whole. */
  readonly path: string
  readonly message: string
}

let schema: ReturnType<typeof createGraphSchema> | undefined

/**
 * Parses and plans a description in YAML or JSON.
 *
 * @param source what the text is called in a refusal: `graph.yaml`.
 * @throws GraphRefusal
 */
export function parseGraph(text: string, source: string = GRAPH_FILE): GraphPlan {
  if (text.length > CHARACTERS_MAX) {
    const message = `It has ${text.length} characters; ${CHARACTERS_MAX} are allowed.`
    throw new GraphRefusal(source, [{ line: 1, column: 1, path: '', message }])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new GraphRefusal(
      source,
      document.errors.map(({ message, pos }) => {
        const { line, col } = lines.linePos(pos[0])
        return { line, column: col, path: '', message: `${message}.`.replace(/\.\.$/, '.') }
      }),
    )
  }
  const refuse = (problems: readonly { readonly place: Place; readonly message: string }[]) =>
    new GraphRefusal(
      source,
      problems.map(({ place, message }) => {
        const { line, col } = lines.linePos(offsetOf(document, place))
        return { line, column: col, path: place.join('.'), message }
      }),
    )
  schema ??= createGraphSchema(validateByKey)
  const parsed = schema.safeParse(valueOf(document, refuse), { error: describeUnknownKeys })
  if (!parsed.success) {
    throw refuse(
      flattenIssues(parsed.error.issues).map(({ path, message }) => ({ place: path, message })),
    )
  }
  const planned = planGraph(parsed.data)
  if (planned.kind === 'problems') throw refuse(planned.problems)
  return planned.plan
}

/** The published JSON Schema of a description. */
export function graphJsonSchema(published: z.ZodType): object {
  return z.toJSONSchema(published, { io: 'input', unrepresentable: 'any' })
}

// A document of few lines may name the same part thousands of times.
function valueOf(
  document: Document,
  refuse: (problems: readonly { place: Place; message: string }[]) => GraphRefusal,
): unknown {
  try {
    return document.toJS()
  } catch (error) {
    throw refuse([{ place: [], message: error instanceof Error ? error.message : String(error) }])
  }
}

// The value at a place, or the key itself where the value is not there or the key is what is wrong.
function offsetOf(document: Document, place: Place): number {
  let node: unknown = document.contents
  let offset = rangeStart(node) ?? 0
  for (const key of place) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
      if (pair === undefined) return offset
      offset = rangeStart(pair.key) ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(key)]
      offset = rangeStart(node) ?? offset
    } else return offset
  }
  return offset
}

function rangeStart(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  const { range } = node
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined
}

function encodeProblem({ line, column, path, message }: LocatedProblem): string {
  const where = `Line ${line}, column ${column}`
  const sentence = message.endsWith('.') ? message : `${message}.`
  return path === '' ? `${where}: ${sentence}` : `${where} (${path}): ${sentence}`
}
