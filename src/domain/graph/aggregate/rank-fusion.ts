import type { JsonValue } from '../../json.ts'
import {
  alignAnswers,
  describe,
  formAnswer,
  isList,
  isObject,
  readRows,
  UnfitAnswers,
} from './answers.ts'
import type { BranchAnswer } from './answers.ts'

/** How rankings are joined. */
export interface RankFusionOptions {
  readonly constant: number
  readonly itemsMax: number
}

interface Fused {
  readonly id: string | number
  score: number
  readonly rankByBranch: Map<string, number>
}

/**
 * Joins rankings by reciprocal rank fusion: an item scores weight / (constant + rank) in each branch that lists it, ranks from 1.
 *
 * Scores of different models cannot be compared; ranks can. An answer is a list of ids, or of objects with an `id`, best
 * first; predictions that are lists are rankings row by row.
 *
 * Source: Cormack, Clarke, Büttcher, SIGIR 2009; constant 60.
 *
 * @throws UnfitAnswers: an answer is no list, or an item has no id.
 */
export function fuseRanks(answers: readonly BranchAnswer[], options: RankFusionOptions): JsonValue {
  const isBatch = answers.every(({ value }) => readRows(value).rows.every(isList))
  if (!isBatch) {
    const rankings = answers.map(({ branch, weight, value }) => {
      const { form, rows } = readRows(value)
      if (form === 'single') throw noRanking(branch, value)
      return { branch, weight, items: rows }
    })
    return fuse(rankings, options)
  }
  const { form, branches, rowCount } = alignAnswers(answers)
  const rows = Array.from({ length: rowCount }, (_, row) => {
    const rankings = branches.map(({ branch, weight, rows: own }) => {
      const items = own[row]
      if (!isList(items)) throw noRanking(branch, items)
      return { branch, weight, items }
    })
    return fuse(rankings, options)
  })
  return formAnswer(form, rows)
}

interface Ranking {
  readonly branch: string
  readonly weight: number
  readonly items: readonly JsonValue[]
}

function fuse(rankings: readonly Ranking[], { constant, itemsMax }: RankFusionOptions): JsonValue {
  const fusedById = new Map<string | number, Fused>()
  for (const { branch, weight, items } of rankings) {
    for (const [index, item] of items.entries()) {
      const id = idOf(item, branch)
      const fused = fusedById.get(id) ?? { id, score: 0, rankByBranch: new Map() }
      fusedById.set(id, fused)
      if (fused.rankByBranch.has(branch)) continue
      fused.rankByBranch.set(branch, index + 1)
      fused.score += weight / (constant + index + 1)
    }
  }
  // A stable sort: among equals, the order of the branches.
  const sorted = [...fusedById.values()].toSorted((a, b) => b.score - a.score)
  return sorted.slice(0, itemsMax).map(({ id, score, rankByBranch }) => {
    return { id, score, ranks: Object.fromEntries(rankByBranch) }
  })
}

function idOf(item: JsonValue, branch: string): string | number {
  const id = isObject(item) ? item.id : item
  if (typeof id === 'string' || typeof id === 'number') return id
  throw new UnfitAnswers(
    `Branch ${branch} ranks ${describe(item)}; an item is an id or an object with one.`,
  )
}

function noRanking(branch: string, value: JsonValue | undefined): UnfitAnswers {
  return new UnfitAnswers(`Branch ${branch} answers ${describe(value)}; a ranking is a list.`)
}
