import { z } from 'zod'

// Of the longer word: `quorom` and `deadlinems` are meant, `retries` is not `rules`.
const DIFFERENT_SHARE_MAX = 0.34

/** What is said of a key that is not known, with the one that was most likely meant. */
export function describeUnknownKey(key: string, known: readonly string[]): string {
  const meant = chooseMeantKey(key, known)
  return meant === undefined
    ? `${key} is not known here.`
    : `${key} is not known here; ${meant} is.`
}

/** For zod, which knows what an object may have only while it parses: a line for each unknown key, in their order. */
export const describeUnknownKeys: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== 'unrecognized_keys') return undefined
  const known = issue.inst instanceof z.ZodObject ? Object.keys(issue.inst.shape) : []
  return issue.keys.map((key) => describeUnknownKey(key, known)).join('\n')
}

/** The known key that was most likely meant, if one is near. */
export function chooseMeantKey(key: string, known: readonly string[]): string | undefined {
  const [nearest] = known
    .map((name) => {
      const distance = distanceOf(key.toLowerCase(), name.toLowerCase())
      return { name, share: distance / Math.max(key.length, name.length) }
    })
    .filter(({ share }) => share <= DIFFERENT_SHARE_MAX)
    .toSorted((a, b) => a.share - b.share)
  return nearest?.name
}

// Letters to put in, take out or replace. Source: Wagner and Fischer, 1974.
function distanceOf(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [row, letter] of Array.from(from).entries()) {
    const line = [row + 1]
    for (const [column, other] of Array.from(to).entries()) {
      const replaced = (above[column] ?? 0) + (letter === other ? 0 : 1)
      line.push(Math.min(replaced, (above[column + 1] ?? 0) + 1, (line[column] ?? 0) + 1))
    }
    above = line
  }
  return above.at(-1) ?? 0
}
