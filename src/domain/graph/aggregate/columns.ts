import type { JsonObject, JsonValue } from '../../json.ts'
import { alignAnswers, describe, formAnswer, isList, isObject, UnfitAnswers } from './answers.ts'
import type { BranchAnswer } from './answers.ts'

/** Joins what the branches answered to each row into one list, in the order of the branches. */
export function concatRows(answers: readonly BranchAnswer[]): JsonValue {
  const { form, branches, rowCount } = alignAnswers(answers)
  const rows = Array.from({ length: rowCount }, (_, row) =>
    branches.flatMap(({ rows: own }) => {
      const value = own[row] ?? null
      return isList(value) ? value : [value]
    }),
  )
  return formAnswer(form, rows)
}

/**
 * The input of a stacking model: for each row the numbers of all branches side by side, probabilities by name in the order
 * of the names.
 *
 * @throws UnfitAnswers: a branch answers something that is no number.
 */
export function stackRows(answers: readonly BranchAnswer[]): JsonObject {
  const { branches, rowCount } = alignAnswers(answers)
  const instances = Array.from({ length: rowCount }, (_, row) =>
    branches.flatMap(({ branch, rows }) => numbersOf(rows[row], branch)),
  )
  return { instances }
}

function numbersOf(value: JsonValue | undefined, branch: string): readonly number[] {
  if (typeof value === 'number') return [value]
  if (typeof value === 'boolean') return [Number(value)]
  if (isList(value)) return value.flatMap((item) => numbersOf(item, branch))
  if (isObject(value)) {
    const scores = value.probabilities ?? value.scores
    if (scores !== undefined) return numbersOf(scores, branch)
    return Object.keys(value)
      .toSorted()
      .flatMap((name) => numbersOf(value[name], branch))
  }
  throw new UnfitAnswers(
    `Branch ${branch} answers ${describe(value)}; a stacking model takes numbers.`,
  )
}
