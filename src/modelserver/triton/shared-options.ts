type Values = ReadonlyMap<string, readonly string[]>

const CACHE_BYTES_MAX = 2 ** 40
const RESOURCE_COUNT_MAX = 2 ** 31 - 1

/** Bytes of the response cache, from `--cache-config=local,size=N` or the older `--response-cache-byte-size=N`; 0: none. */
export function readCacheBytes(values: Values, problems: string[]): number {
  const settings = values.get('cache-config') ?? []
  const older = values.get('response-cache-byte-size') ?? []
  if (settings.length > 0 && older.length > 0) {
    problems.push('--cache-config and --response-cache-byte-size must not be given both')
  }
  const texts = older.map((text) => ({ flag: '--response-cache-byte-size', text }))
  for (const setting of settings) {
    const [, text] = /^local,size=(.*)$/.exec(setting) ?? []
    if (text === undefined) {
      problems.push(
        `--cache-config must be local,size=BYTES, the one cache there is, not ${setting}`,
      )
    } else texts.push({ flag: '--cache-config', text })
  }
  const last = texts.at(-1)
  if (last === undefined) return 0
  const bytes = /^\d{1,15}$/.test(last.text) ? Number(last.text) : Number.NaN
  if (bytes <= CACHE_BYTES_MAX) return bytes
  problems.push(
    `${last.flag} must have a size from 0 to ${CACHE_BYTES_MAX} bytes, not ${last.text}`,
  )
  return 0
}

/**
 * Sizes of resources, from `--rate-limit-resource=NAME:COUNT[:DEVICE]`; undefined when instances are not limited. Of one
 * resource the largest size counts, as in Triton.
 */
export function readResourceSizes(
  isLimited: boolean,
  settings: readonly string[],
  problems: string[],
): ReadonlyMap<string, number> | undefined {
  if (!isLimited) {
    if (settings.length === 0) return undefined
    problems.push('--rate-limit-resource needs --rate-limit=execution_count')
  }
  const sizes = new Map<string, number>()
  for (const setting of settings) {
    const [, name = '', text = '', device = '0'] =
      /^([^:]+):(\d{1,10})(?::(-?\d{1,9}))?$/.exec(setting) ?? []
    const count = Number(text)
    if (name === '' || count > RESOURCE_COUNT_MAX) {
      problems.push(`--rate-limit-resource must be NAME:COUNT or NAME:COUNT:DEVICE, not ${setting}`)
    } else if (Number(device) > 0) {
      problems.push(`--rate-limit-resource=${setting}: there is no device but 0`)
    } else sizes.set(name, Math.max(sizes.get(name) ?? 0, count))
  }
  return sizes
}
