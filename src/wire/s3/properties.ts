import { BerthError } from '../../domain/errors.ts'
import { parseTagHeader } from './tags.ts'
import type { ObjectTags } from './tags.ts'

const USER_METADATA_BYTES_MAX = 2048
const USER_PREFIX = 'x-amz-meta-'

/** Property and header that S3 stores and gives back as they are. */
const STORED_HEADERS = {
  contentType: 'Content-Type',
  contentEncoding: 'Content-Encoding',
  contentLanguage: 'Content-Language',
  contentDisposition: 'Content-Disposition',
  cacheControl: 'Cache-Control',
  expires: 'Expires',
} as const

type StoredHeader = keyof typeof STORED_HEADERS

/** What headers say about an object. */
export type HeaderProperties = { readonly [Name in StoredHeader]?: string | undefined } & {
  readonly userMetadata?: Readonly<Record<string, string>> | undefined
  readonly tags?: ObjectTags | undefined
}

/**
 * Parses the headers of a write. `aws-chunked` is how the body travels, not part of the object, and is dropped.
 *
 * @param header the header with this lower-case name.
 * @param names all header names in lower case.
 * @throws BerthError `MetadataTooLarge`, `InvalidTag`
 */
export function parseProperties(
  header: (lowerName: string) => string | undefined,
  names: readonly string[],
): HeaderProperties {
  const userMetadata: Record<string, string> = {}
  let bytes = 0
  for (const name of names) {
    if (!name.startsWith(USER_PREFIX)) continue
    const short = name.slice(USER_PREFIX.length)
    userMetadata[short] = header(name) ?? ''
    bytes += short.length + (userMetadata[short]?.length ?? 0)
  }
  if (bytes > USER_METADATA_BYTES_MAX) {
    throw new BerthError(
      'MetadataTooLarge',
      'Your metadata headers exceed the maximum allowed metadata size',
    )
  }
  const tagging = header('x-amz-tagging')
  return {
    contentType: header('content-type') ?? 'binary/octet-stream',
    contentEncoding: stripAwsChunked(header('content-encoding')),
    contentLanguage: header('content-language'),
    contentDisposition: header('content-disposition'),
    cacheControl: header('cache-control'),
    expires: header('expires'),
    userMetadata,
    tags: tagging === undefined ? undefined : parseTagHeader(tagging),
  }
}

/** The headers of a read, with a presigned URL's `response-…` overrides. */
export function encodeProperties(
  properties: HeaderProperties,
  query: ReadonlyMap<string, string>,
): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [property, name] of Object.entries(STORED_HEADERS) as [StoredHeader, string][]) {
    const value = query.get(`response-${name.toLowerCase()}`) ?? properties[property]
    if (value !== undefined) headers[name] = value
  }
  for (const [name, value] of Object.entries(properties.userMetadata ?? {})) {
    headers[USER_PREFIX + name] = value
  }
  const tagCount = Object.keys(properties.tags ?? {}).length
  if (tagCount > 0) headers['x-amz-tagging-count'] = String(tagCount)
  return headers
}

function stripAwsChunked(encoding: string | undefined): string | undefined {
  const kept = encoding
    ?.split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '' && item.toLowerCase() !== 'aws-chunked')
    .join(',')
  return kept === '' ? undefined : kept
}
