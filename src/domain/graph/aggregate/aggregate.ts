import type { JsonValue } from '../../json.ts'
import type { Aggregate } from '../graph.ts'
import { UnfitAnswers } from './answers.ts'
import type { BranchAnswer } from './answers.ts'
import { concatRows, stackRows } from './columns.ts'
import { COMBINE, combineNumbers } from './numbers.ts'
import { fuseRanks } from './rank-fusion.ts'
import { countVotes, poolProbabilities } from './votes.ts'

/**
 * Makes one answer of those that came. Pure; the order of the answers is that of the branches, not of their arrival.
 *
 * Weights are those of the branches that answered: one that is missing takes no part, as if it had never been asked.
 *
 * @returns for stacking, what its model is to be asked.
 * @throws UnfitAnswers
 */
export function aggregateAnswers(
  aggregate: Aggregate<unknown>,
  answers: readonly BranchAnswer[],
): JsonValue {
  const { kind } = aggregate
  switch (kind) {
    case 'collect':
      return Object.fromEntries(answers.map(({ branch, value }) => [branch, value]))
    case 'concat':
      return concatRows(answers)
    case 'first-success': {
      const [first] = answers
      if (first === undefined) throw new UnfitAnswers('No branch has answered.')
      return first.value
    }
    case 'mean':
    case 'weighted-mean':
    case 'median':
    case 'min':
    case 'max':
      return combineNumbers(answers, COMBINE[kind])
    case 'majority-vote':
    case 'weighted-vote': {
      const { classes } = aggregate
      return countVotes(answers, { isWeighted: kind === 'weighted-vote', classes })
    }
    case 'soft-vote':
      return poolProbabilities(answers, aggregate.classes)
    case 'rank-fusion':
      return fuseRanks(answers, aggregate)
    case 'stacking':
      return stackRows(answers)
  }
}
