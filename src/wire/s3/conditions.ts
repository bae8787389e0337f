/** The conditional headers of a read, or of the source of a copy. */
export interface ReadConditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
  readonly ifModifiedSince?: string | undefined
  readonly ifUnmodifiedSince?: string | undefined
}

/** What the conditions say about an object; `failed` names the header. */
export type ConditionVerdict =
  | { readonly kind: 'holds' }
  | { readonly kind: 'not-modified' }
  | { readonly kind: 'failed'; readonly condition: string }

/**
 * Judges conditional headers.
 *
 * | If-Match | If-Unmodified-Since | If-None-Match | If-Modified-Since | verdict |
 * |---|---|---|---|---|
 * | false | any | any | any | failed |
 * | true | false | any | any | goes on: ETag beats time |
 * | absent | false | any | any | failed |
 * | – | – | false | any | not modified |
 * | – | – | absent | false | not modified |
 *
 * Source: Amazon S3 API reference, GetObject, conditional requests.
 */
export function decideConditions(
  conditions: ReadConditions,
  object: { readonly etag: string; readonly modifiedAtMs: number },
): ConditionVerdict {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince } = conditions
  // HTTP dates have seconds.
  const modifiedAtMs = Math.floor(object.modifiedAtMs / 1000) * 1000
  if (ifMatch !== undefined) {
    if (!matchesEtag(ifMatch, object.etag)) return { kind: 'failed', condition: 'If-Match' }
  } else if (ifUnmodifiedSince !== undefined && modifiedAtMs > Date.parse(ifUnmodifiedSince)) {
    return { kind: 'failed', condition: 'If-Unmodified-Since' }
  }
  if (ifNoneMatch !== undefined) {
    return { kind: matchesEtag(ifNoneMatch, object.etag) ? 'not-modified' : 'holds' }
  }
  const isUnmodified = ifModifiedSince !== undefined && modifiedAtMs <= Date.parse(ifModifiedSince)
  return { kind: isUnmodified ? 'not-modified' : 'holds' }
}

/** An ETag without quotes and weakness. */
export function parseEtag(text: string): string {
  return text
    .trim()
    .replace(/^W\//, '')
    .replace(/^"(.*)"$/s, '$1')
}

function matchesEtag(header: string, etag: string): boolean {
  return header.split(',').some((item) => item.trim() === '*' || parseEtag(item) === etag)
}
