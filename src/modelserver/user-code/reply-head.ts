/** The status that user code gave its reply. One that HTTP does not have is the model's failure. */
export function toStatus(given: unknown): number {
  const status = Number(given)
  return Number.isInteger(status) && status >= 200 && status <= 599 ? status : 500
}

/** The headers that user code gave its reply. */
export function toHeaders(given: unknown): Readonly<Record<string, string>> {
  if (typeof given !== 'object' || given === null) return {}
  const entries = Object.entries(given).map(([name, value]) => [name, headerText(value)] as const)
  return Object.fromEntries(entries)
}

// A line end in a header would begin another one.
function headerText(value: unknown): string {
  return String(value).replaceAll(/[^\t\x20-\x7e\x80-\xff]+/g, ' ')
}
