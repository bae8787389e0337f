import type { ModelDataSource } from '../../domain/model.ts'

/** Model data that cannot be used, in words for the person who sent it. */
export class UnfitModelData extends Error {}

/** Where in the object store a source points: a key, or a prefix that ends in `/`. */
export interface SourceAddress {
  readonly bucketName: string
  readonly key: string
}

/**
 * Parses `s3://bucket/key`, or `https://host/bucket/key` of this installation or of Amazon S3.
 *
 * @param ownHosts host names under which this installation answers.
 * @throws UnfitModelData
 */
export function parseModelUrl(url: string, ownHosts: readonly string[]): SourceAddress {
  const s3 = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(url)
  if (s3 !== null) return addressOf(s3[1], s3[2] ?? '', url)
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new UnfitModelData(`"${url}" is not an s3:// or https:// URL of an object.`)
  }
  const { hostname, pathname } = new URL(url)
  const path = decodePath(pathname.slice(1), url)
  const virtualHost = /^(.+)\.s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com$/.exec(hostname)
  if (virtualHost !== null) return addressOf(virtualHost[1], path, url)
  if (!ownHosts.includes(hostname) && !/^s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com$/.test(hostname)) {
    throw new UnfitModelData(
      `"${url}" names the host ${hostname}; model data is read from this installation's buckets only.`,
    )
  }
  const [, bucketName, key] = /^([^/]+)\/(.*)$/s.exec(path) ?? []
  return addressOf(bucketName, key, url)
}

/** What a source must look like for its kind. @throws UnfitModelData */
export function assertSourceForm(source: ModelDataSource, { key }: SourceAddress): void {
  const isPrefix = key === '' || key.endsWith('/')
  if (source.kind === 'prefix' && !isPrefix) {
    throw new UnfitModelData(`"${source.url}" is given as a prefix and does not end in "/".`)
  }
  if (source.kind !== 'prefix' && isPrefix) {
    throw new UnfitModelData(`"${source.url}" names a folder, not an object.`)
  }
}

function addressOf(
  bucketName: string | undefined,
  key: string | undefined,
  url: string,
): SourceAddress {
  if (bucketName === undefined || key === undefined) {
    throw new UnfitModelData(`"${url}" does not name a bucket and a key.`)
  }
  return { bucketName, key }
}

function decodePath(path: string, url: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new UnfitModelData(`"${url}" is not encoded as a URL.`)
  }
}
