import { BerthError } from '../../domain/errors.ts'

/** What a request target names. */
export interface S3Address {
  /** Undefined at the root of the service. */
  readonly bucketName: string | undefined
  /** Undefined for the bucket itself. */
  readonly key: string | undefined
  /** The first value of each name; `?uploads` and `?uploads=` are both the empty text. */
  readonly query: ReadonlyMap<string, string>
}

/**
 * Parses a target in path style (`/bucket/key`) or virtual-host style (`bucket.<suffix>`). Keys are not normalised: `..`
 * and `//` are part of them.
 *
 * @param hostSuffixes base domains under which the first labels are a bucket, e.g. `localhost`.
 * @throws BerthError `InvalidURI`: not percent-encoded UTF-8.
 */
export function parseS3Address(
  rawTarget: string,
  host: string | undefined,
  hostSuffixes: readonly string[],
): S3Address {
  const at = rawTarget.indexOf('?')
  const rawPath = at === -1 ? rawTarget : rawTarget.slice(0, at)
  const query = parseQuery(at === -1 ? '' : rawTarget.slice(at + 1))
  const path = decode(rawPath.replace(/^\//, ''))
  const virtualBucket = findVirtualHostBucket(host, hostSuffixes)
  if (virtualBucket !== undefined) {
    return { bucketName: virtualBucket, key: path === '' ? undefined : path, query }
  }
  const slash = path.indexOf('/')
  const bucketName = slash === -1 ? path : path.slice(0, slash)
  const key = slash === -1 ? '' : path.slice(slash + 1)
  return {
    bucketName: bucketName === '' ? undefined : bucketName,
    key: key === '' ? undefined : key,
    query,
  }
}

/** The bucket that a Host header names, if it lies below one of the suffixes. Signature V2 needs it too. */
export function findVirtualHostBucket(
  host: string | undefined,
  hostSuffixes: readonly string[],
): string | undefined {
  const name = host?.toLowerCase().replace(/:\d+$/, '')
  const suffix = hostSuffixes.find((candidate) => name?.endsWith(`.${candidate}`))
  return suffix === undefined ? undefined : name?.slice(0, -suffix.length - 1)
}

/** The source of a copy: `bucket/key`, percent-encoded, perhaps with a leading slash or `?versionId=null`. */
export function parseCopySource(header: string): { bucketName: string; key: string } {
  const [, path = '', version] = /^\/?([^?]*)(?:\?versionId=(.*))?$/.exec(header) ?? []
  const [, bucketName, key] = /^([^/]+)\/(.+)$/s.exec(decode(path)) ?? []
  if (bucketName === undefined || key === undefined) {
    throw new BerthError(
      'InvalidArgument',
      'Copy Source must mention the source bucket and key: sourcebucket/sourcekey',
    )
  }
  if (version !== undefined && version !== 'null') {
    throw new BerthError(
      'NotImplemented',
      'Berth has no object versions; versionId may only be null.',
    )
  }
  return { bucketName, key }
}

function parseQuery(text: string): ReadonlyMap<string, string> {
  const query = new Map<string, string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decodeQuery(equals === -1 ? part : part.slice(0, equals))
    if (!query.has(name)) query.set(name, equals === -1 ? '' : decodeQuery(part.slice(equals + 1)))
  }
  return query
}

function decodeQuery(text: string): string {
  return decode(text.replaceAll('+', ' '))
}

function decode(text: string): string {
  try {
    // Node hands out one character per byte; a client may leave UTF-8 unencoded.
    const ascii = !/\P{ASCII}/u.test(text) ? text : Buffer.from(text, 'latin1').toString('utf8')
    return decodeURIComponent(ascii)
  } catch {
    throw new BerthError('InvalidURI', "Couldn't parse the specified URI.")
  }
}
