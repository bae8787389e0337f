import { Rejection } from '../rejection.ts'
import type { Presentation } from './presentation.ts'
import { nestRows } from './rows.ts'
import type { JsonValue } from './rows.ts'
import type { NamedTensor } from './tensor.ts'

/** A row's classes, the most probable first. */
export interface RankedRow {
  readonly classes: readonly { readonly label: string; readonly score: number }[]
}

/** What `top-k` gives: how its numbers are called, and a ranking for each row. */
export interface Ranking {
  readonly scoreName: 'probability' | 'score'
  readonly rows: readonly RankedRow[]
}

/**
 * The highest classes of every row. Equal scores keep the order of the classes; classes without a name are their number.
 *
 * @throws Rejection 406: the model gives no scores of classes.
 */
export function rankClasses(
  outputs: readonly NamedTensor[],
  presentation: Presentation,
  topCount: number,
): Ranking {
  const scores = findScores(outputs, presentation)
  if (scores === undefined) {
    const given = outputs.map(({ name, type, dims }) => `${name} ${type} [${dims.join(', ')}]`)
    throw new Rejection(
      406,
      `top-k needs scores of classes, and the model gives ${given.join(', ')}.`,
    )
  }
  const names = presentation.kind === 'plain' ? undefined : presentation.classNames
  const rows = nestRows(scores).map((row) => ({ classes: rank(row, names).slice(0, topCount) }))
  return { scoreName: presentation.kind === 'classes' ? 'probability' : 'score', rows }
}

function findScores(
  outputs: readonly NamedTensor[],
  presentation: Presentation,
): NamedTensor | undefined {
  if (presentation.kind === 'classes') {
    return outputs.find(({ name }) => name === presentation.probabilitiesName)
  }
  const [only, ...others] = outputs
  if (only === undefined || others.length > 0 || only.dims.length !== 2) return undefined
  return only.type.startsWith('float') ? only : undefined
}

function rank(row: JsonValue, names: readonly string[] | undefined): RankedRow['classes'] {
  const scores = Array.isArray(row) ? row.map(Number) : []
  const classes = scores.map((score, index) => ({ label: names?.[index] ?? String(index), score }))
  return classes.toSorted((left, right) => heightOf(right.score) - heightOf(left.score) || 0)
}

/** A score to be compared with others: NaN is below every number. */
export function heightOf(score: number): number {
  return Number.isNaN(score) ? -Infinity : score
}
