import type { Elements, NamedTensor } from '../../codecs/tensor.ts'

/** How far the answers of one output are apart. */
export interface OutputDifference {
  readonly output: string
  /** Numbers with a fraction: largest distance. Others: 1 when any element is another. */
  readonly largest: number
  /**
   * Numbers with a fraction: the largest distance as a share of the largest value that the original gave. Others, labels
   * for example: the share of elements that are another.
   */
  readonly share: number
}

/** Pairs of answers to the same inputs, original first. */
export type AnswerPair = readonly [readonly NamedTensor[], readonly NamedTensor[]]

/** Differences of each output over all pairs, the worst first. A missing output, another shape or type is as far as can be. */
export function measureDifferences(pairs: readonly AnswerPair[]): readonly OutputDifference[] {
  const [first] = pairs
  const names = first === undefined ? [] : first[0].map(({ name }) => name)
  return names
    .map((name) => measureOutput(name, pairs))
    .toSorted((a, b) => b.share - a.share || (a.output < b.output ? -1 : 1))
}

function measureOutput(name: string, pairs: readonly AnswerPair[]): OutputDifference {
  const tally = { largest: 0, value: 0, changed: 0, count: 0, isDiscrete: false }
  for (const [expected, given] of pairs) {
    const one = expected.find((tensor) => tensor.name === name)
    const other = given.find((tensor) => tensor.name === name)
    const isSame = one?.type === other?.type && one?.dims.join() === other?.dims.join()
    if (one === undefined || other === undefined || !isSame) {
      return { output: name, largest: Infinity, share: Infinity }
    }
    tally.isDiscrete = !one.type.startsWith('float')
    compare(one.elements, other.elements, tally)
  }
  const { largest, value, changed, count, isDiscrete } = tally
  if (isDiscrete) {
    return { output: name, largest: changed > 0 ? 1 : 0, share: changed / Math.max(count, 1) }
  }
  return { output: name, largest, share: largest === 0 ? 0 : largest / value }
}

function compare(
  expected: Elements,
  given: Elements,
  tally: { largest: number; value: number; changed: number; count: number },
): void {
  tally.count += expected.length
  for (let index = 0; index < expected.length; index += 1) {
    const one = expected[index]
    const other = given[index]
    if (typeof one === 'number' && Number.isFinite(one)) {
      tally.value = Math.max(tally.value, Math.abs(one))
    }
    // Not a number is as good as itself.
    if (one === other || Object.is(one, other)) continue
    tally.changed += 1
    const distance =
      typeof one === 'number' && typeof other === 'number' ? Math.abs(one - other) : 0
    tally.largest = Math.max(tally.largest, Number.isNaN(distance) ? Infinity : distance)
  }
}
