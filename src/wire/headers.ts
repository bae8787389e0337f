/**
 * The first value of a header in node's `rawHeaders` form (name, value, name, value …).
 *
 * @param lowerName the name in lower case.
 */
export function findHeader(rawHeaders: readonly string[], lowerName: string): string | undefined {
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === lowerName) return rawHeaders[index + 1]
  }
  return undefined
}
