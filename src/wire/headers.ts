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

/** All values of a header in the order received. */
export function listHeader(rawHeaders: readonly string[], lowerName: string): readonly string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === lowerName) values.push(rawHeaders[index + 1] ?? '')
  }
  return values
}
