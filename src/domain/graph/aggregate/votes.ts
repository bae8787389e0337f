import type { JsonValue } from '../../json.ts'
import { alignAnswers, formAnswer, UnfitAnswers } from './answers.ts'
import type { AnsweredRows, BranchAnswer } from './answers.ts'
import { readClass, readProbabilities } from './class-of.ts'
import type { ClassLabel } from './class-of.ts'
import { sum } from './numbers.ts'

/** How votes are counted. */
export interface VoteOptions {
  readonly isWeighted: boolean
  readonly classes: readonly string[] | undefined
}

interface Tally {
  readonly label: ClassLabel
  votes: number
}

/**
 * Counts, row by row, which class most branches answer. Among equals, that of the branch that stands first.
 *
 * ```text
 * tree orange, linear apple, boost orange → {"label": "orange", "votes": {"orange": 2, "apple": 1}, "share": 0.667}
 * ```
 *
 * @throws UnfitAnswers: an answer is no class, or branches name classes in different ways (by word, by number).
 */
export function countVotes(answers: readonly BranchAnswer[], options: VoteOptions): JsonValue {
  const { form, branches, rowCount } = alignAnswers(answers)
  const rows = Array.from({ length: rowCount }, (_, row): JsonValue => {
    const tallies = countRow(branches, row, options)
    const leader = tallies.reduce((best, next) => (next.votes > best.votes ? next : best))
    return {
      label: leader.label,
      votes: Object.fromEntries(tallies.map(({ label, votes }) => [String(label), votes])),
      share: leader.votes / sum(tallies.map(({ votes }) => votes)),
    }
  })
  return formAnswer(form, rows)
}

/**
 * Whether branches that have not answered could still change a vote, in any row.
 *
 * @param outstandingWeight of those branches together; their number where votes have no weights.
 */
export function isVoteDecided(
  answers: readonly BranchAnswer[],
  outstandingWeight: number,
  options: VoteOptions,
): boolean {
  if (answers.length === 0) return false
  const { branches, rowCount } = alignAnswers(answers)
  for (let row = 0; row < rowCount; row += 1) {
    const [most = 0, next = 0] = countRow(branches, row, options)
      .map(({ votes }) => votes)
      .toSorted((a, b) => b - a)
    if (most - next <= outstandingWeight) return false
  }
  return true
}

/**
 * Averages probabilities by class, with the weights of the branches that answered, and takes the highest.
 *
 * @throws UnfitAnswers: an answer has no probabilities, or branches know different classes.
 */
export function poolProbabilities(
  answers: readonly BranchAnswer[],
  classes: readonly string[] | undefined,
): JsonValue {
  const { form, branches, rowCount } = alignAnswers(answers)
  const totalWeight = sum(branches.map(({ weight }) => weight))
  const rows = Array.from({ length: rowCount }, (_, row): JsonValue => {
    const read = branches.map(({ branch, weight, rows: own }) => {
      return { branch, weight, byClass: readProbabilities(own[row], branch, classes) }
    })
    const names = [...(read[0]?.byClass.keys() ?? [])]
    const other = read.find(
      ({ byClass }) => byClass.size !== names.length || !names.every((name) => byClass.has(name)),
    )
    if (other !== undefined) {
      const own = [...other.byClass.keys()].join(', ')
      throw new UnfitAnswers(
        `Branch ${other.branch} gives probabilities of ${own}, branch ${read[0]?.branch} of ${names.join(', ')}.`,
      )
    }
    const pooled = names.map((name) => {
      const shares = read.map(({ weight, byClass }) => (byClass.get(name) ?? 0) * weight)
      return { name, probability: sum(shares) / totalWeight }
    })
    const best = pooled.reduce((a, b) => (b.probability > a.probability ? b : a))
    const probabilities = Object.fromEntries(
      pooled.map(({ name, probability }) => [name, probability]),
    )
    return { label: best.name, probabilities }
  })
  return formAnswer(form, rows)
}

function countRow(
  branches: readonly AnsweredRows[],
  row: number,
  { isWeighted, classes }: VoteOptions,
): readonly [Tally, ...Tally[]] {
  const tallyByLabel = new Map<ClassLabel, Tally>()
  let first: { readonly branch: string; readonly label: ClassLabel } | undefined
  for (const { branch, weight, rows } of branches) {
    const label = readClass(rows[row], branch, classes)
    first ??= { branch, label }
    if (typeof label !== typeof first.label) {
      const said = `${typeof label} ${JSON.stringify(label)}`
      throw new UnfitAnswers(
        `Branch ${branch} votes for the ${said}, branch ${first.branch} for the ${typeof first.label} ${JSON.stringify(first.label)}: name the classes alike, or list them as classes.`,
      )
    }
    const tally = tallyByLabel.get(label)
    const votes = isWeighted ? weight : 1
    if (tally === undefined) tallyByLabel.set(label, { label, votes })
    else tally.votes += votes
  }
  const [leader, ...others] = tallyByLabel.values()
  if (leader === undefined) throw new UnfitAnswers('No branch has answered.')
  return [leader, ...others]
}
