import { BerthError } from '../../domain/errors.ts'
import { element, encodeDocument } from './xml.ts'
import type { Xml } from './xml.ts'

const KEYS_MAX = 1000

/** What a listing asks, whichever version it is. */
export interface ListingRequest {
  readonly version: 1 | 2
  readonly prefix: string
  readonly delimiter: string | undefined
  /** From `marker`, `start-after` or the continuation token. */
  readonly startAfter: string | undefined
  readonly keysMax: number
  readonly isUrlEncoded: boolean
  readonly query: ReadonlyMap<string, string>
}

/** One page as the store gives it. */
export interface ListingPage {
  readonly objects: readonly {
    readonly key: string
    readonly etag: string
    readonly sizeBytes: number
    readonly modifiedAtMs: number
  }[]
  readonly commonPrefixes: readonly string[]
  readonly nextStartAfter: string | undefined
}

/** Parses the query of ListObjects (1) or ListObjectsV2 (2). @throws BerthError `InvalidArgument` */
export function parseListing(query: ReadonlyMap<string, string>, version: 1 | 2): ListingRequest {
  if (version === 2 && query.get('list-type') !== '2') {
    throw new BerthError('InvalidArgument', 'Invalid List Type specified in Query')
  }
  const encodingType = query.get('encoding-type') ?? ''
  if (encodingType !== '' && encodingType !== 'url') {
    throw new BerthError('InvalidArgument', 'Invalid Encoding Method specified in Request')
  }
  const token = query.get('continuation-token')
  return {
    version,
    query,
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') || undefined,
    startAfter:
      version === 1
        ? query.get('marker')
        : token === undefined
          ? query.get('start-after')
          : parseToken(token),
    keysMax: Math.min(KEYS_MAX, parseCount(query.get('max-keys'), 'max-keys') ?? KEYS_MAX),
    isUrlEncoded: encodingType === 'url',
  }
}

/** A non-negative integer of a query. @throws BerthError `InvalidArgument` */
export function parseCount(text: string | undefined, name: string): number | undefined {
  if (text === undefined || text === '') return undefined
  if (/^\d{1,10}$/.test(text) && Number(text) <= 2 ** 31 - 1) return Number(text)
  throw new BerthError(
    'InvalidArgument',
    `Argument ${name} must be an integer between 0 and 2147483647`,
    {
      members: { ArgumentName: name, ArgumentValue: text.slice(0, 100) },
    },
  )
}

/** Makes a place in a list opaque. */
export function encodeToken(startAfter: string): string {
  return Buffer.from(startAfter).toString('base64url')
}

/** The place of an opaque token. @throws BerthError `InvalidArgument` */
export function parseToken(token: string): string {
  const startAfter = Buffer.from(token, 'base64url').toString('utf8')
  if (token !== '' && encodeToken(startAfter) === token) return startAfter
  throw new BerthError('InvalidArgument', 'The continuation token provided is incorrect')
}

/** Encodes a page for the version that was asked. */
export function encodeListing(
  request: ListingRequest,
  page: ListingPage,
  { bucketName, ownerId }: { readonly bucketName: string; readonly ownerId: string },
): string {
  const { isUrlEncoded, version, query, delimiter } = request
  const keyText = (name: string, key: string): Xml =>
    element(name, isUrlEncoded ? encodeKeyForUrl(key) : key)
  const showsOwner = version === 1 || query.get('fetch-owner') === 'true'
  const owner = element('Owner', [element('ID', ownerId), element('DisplayName', ownerId)])
  return encodeDocument('ListBucketResult', [
    element('Name', bucketName),
    keyText('Prefix', request.prefix),
    ...placeOf(request, page, keyText),
    element('MaxKeys', request.keysMax),
    delimiter === undefined ? undefined : keyText('Delimiter', delimiter),
    isUrlEncoded ? element('EncodingType', 'url') : undefined,
    element('IsTruncated', page.nextStartAfter !== undefined),
    ...page.objects.map(({ key, etag, sizeBytes, modifiedAtMs }) =>
      element('Contents', [
        keyText('Key', key),
        element('LastModified', new Date(modifiedAtMs).toISOString()),
        element('ETag', `"${etag}"`),
        element('Size', sizeBytes),
        element('StorageClass', 'STANDARD'),
        showsOwner ? owner : undefined,
      ]),
    ),
    ...page.commonPrefixes.map((prefix) => element('CommonPrefixes', [keyText('Prefix', prefix)])),
  ])
}

function placeOf(
  { version, query, delimiter }: ListingRequest,
  { nextStartAfter, objects, commonPrefixes }: ListingPage,
  keyText: (name: string, key: string) => Xml,
): readonly (Xml | undefined)[] {
  const hasNext = nextStartAfter !== undefined
  if (version === 1) {
    return [
      keyText('Marker', query.get('marker') ?? ''),
      // Without a delimiter the last key is the marker; clients know.
      hasNext && delimiter !== undefined ? keyText('NextMarker', nextStartAfter) : undefined,
    ]
  }
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after')
  return [
    token === undefined ? undefined : element('ContinuationToken', token),
    hasNext ? element('NextContinuationToken', encodeToken(nextStartAfter)) : undefined,
    startAfter === undefined ? undefined : keyText('StartAfter', startAfter),
    element('KeyCount', objects.length + commonPrefixes.length),
  ]
}

/** Percent-encodes all but unreserved characters and `/`. */
function encodeKeyForUrl(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
