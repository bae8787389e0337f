/** Something to be measured once per round. */
export interface Case<T> {
  readonly name: string
  readonly measure: () => Promise<T>
}

/**
 * Measures every case once a round, in turn, the other way round in every second round.
 *
 * On a shared machine the speed drifts within minutes: cases measured one after the other in blocks would be compared
 * with different machines. Here neighbours in time are compared.
 */
export async function runRounds<T>(
  cases: readonly Case<T>[],
  roundCount: number,
  show: (text: string) => void,
): Promise<ReadonlyMap<string, readonly T[]>> {
  const results = new Map<string, T[]>(cases.map(({ name }) => [name, []]))
  for (let round = 0; round < roundCount; round++) {
    for (const { name, measure } of round % 2 === 0 ? cases : cases.toReversed()) {
      show(`round ${round + 1} of ${roundCount}: ${name}`)
      results.get(name)?.push(await measure())
    }
  }
  return results
}
