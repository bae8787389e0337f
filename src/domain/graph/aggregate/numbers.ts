import type { JsonValue } from '../../json.ts'
import { alignAnswers, describe, formAnswer, isList, isObject, UnfitAnswers } from './answers.ts'
import type { BranchAnswer } from './answers.ts'

/** Makes one number of those of all branches, with the branches' weights. */
export type Combine = (values: readonly number[], weights: readonly number[]) => number

/** The ways to make one number of several. */
export const COMBINE = {
  mean: (values) => sum(values) / values.length,
  'weighted-mean': (values, weights) =>
    sum(values.map((value, at) => value * (weights[at] ?? 0))) / sum(weights),
  median: (values) => {
    const sorted = values.toSorted((a, b) => a - b)
    const middle = sorted.length >> 1
    const high = sorted[middle] ?? Number.NaN
    return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2
  },
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
} as const satisfies Record<string, Combine>

/**
 * Combines answers of numbers place by place: lists, and objects of numbers, must be alike in every branch.
 *
 * @throws UnfitAnswers: naming the place, both branches and what each answered there.
 */
export function combineNumbers(answers: readonly BranchAnswer[], combine: Combine): JsonValue {
  const { form, branches, rowCount } = alignAnswers(answers)
  const weights = branches.map(({ weight }) => weight)
  const rows = Array.from({ length: rowCount }, (_, row) => {
    const cells = branches.map(({ branch, rows: own }) => ({ branch, value: own[row] }))
    return combineAt(cells, `prediction ${row}`, (values) => combine(values, weights))
  })
  return formAnswer(form, rows)
}

interface Cell {
  readonly branch: string
  readonly value: JsonValue | undefined
}

function combineAt(
  cells: readonly Cell[],
  place: string,
  combine: (values: readonly number[]) => number,
): JsonValue {
  const [first] = cells
  if (first === undefined) return null
  const { value } = first
  if (isList(value)) {
    const lists = cells.map((cell) => (isList(cell.value) ? cell.value : undefined))
    refuseOther(cells, (cell) => isList(cell.value) && cell.value.length === value.length, place)
    return value.map((_, at) => {
      const next = cells.map(({ branch }, of) => ({ branch, value: lists[of]?.[at] }))
      return combineAt(next, `${place}[${at}]`, combine)
    })
  }
  if (isObject(value)) {
    const names = Object.keys(value)
    const objects = cells.map((cell) => (isObject(cell.value) ? cell.value : {}))
    refuseOther(
      cells,
      (cell) =>
        isObject(cell.value) &&
        Object.keys(cell.value).length === names.length &&
        names.every((name) => isObject(cell.value) && Object.hasOwn(cell.value, name)),
      place,
    )
    const entries = names.map((name): [string, JsonValue] => {
      const next = cells.map(({ branch }, of) => ({ branch, value: objects[of]?.[name] }))
      return [name, combineAt(next, `${place}.${name}`, combine)]
    })
    return Object.fromEntries(entries)
  }
  return combine(cells.map((cell) => numberOf(cell, place)))
}

function numberOf({ branch, value }: Cell, place: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new UnfitAnswers(
    `Branch ${branch} answers ${describe(value)} at ${place}; a number is needed.`,
  )
}

function refuseOther(cells: readonly Cell[], isAlike: (cell: Cell) => boolean, place: string) {
  const other = cells.find((cell) => !isAlike(cell))
  const [first] = cells
  if (other === undefined || first === undefined) return
  throw new UnfitAnswers(
    `Branch ${other.branch} answers ${describe(other.value)} at ${place}, where branch ${first.branch} answers ${describe(first.value)}.`,
  )
}

/** The sum of numbers. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
