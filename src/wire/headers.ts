/**
 * The first value of a header in node's `rawHeaders` form (name, value, name, value …).
 *
 * @param lowerName the name in lower case.
 */
export function findHeader(rawHeaders: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    // Most names differ in length already, and need no copy in lower case.
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) {
      return rawHeaders[index + 1]
    }
  }
  return undefined
}
