import { BerthError } from '../../domain/errors.ts'
import type { S3Address } from './address.ts'

interface Row {
  readonly method: string
  readonly level: 'service' | 'bucket' | 'object'
  /** Query names that must all be there. */
  readonly needs?: readonly string[]
  /** A header that must be there. */
  readonly header?: 'x-amz-copy-source'
  /** Further query names the operation reads. Any other one is a feature that is not offered. */
  readonly reads?: readonly string[]
}

const OVERRIDES = [
  'response-content-type',
  'response-content-language',
  'response-expires',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
]
const LISTING = ['prefix', 'delimiter', 'max-keys', 'encoding-type']

/**
 * What is offered, by what a request must look like. The first row that fits wins, so the more special stands first.
 *
 * Source: data-plane reference §18.1; Amazon S3 API reference, request syntax of each operation.
 */
const OPERATIONS = {
  ListBuckets: {
    method: 'GET',
    level: 'service',
    reads: ['prefix', 'max-buckets', 'continuation-token', 'bucket-region'],
  },
  GetBucketLocation: { method: 'GET', level: 'bucket', needs: ['location'] },
  GetBucketVersioning: { method: 'GET', level: 'bucket', needs: ['versioning'] },
  ListObjectsV2: {
    method: 'GET',
    level: 'bucket',
    needs: ['list-type'],
    reads: [...LISTING, 'continuation-token', 'start-after', 'fetch-owner'],
  },
  ListObjects: { method: 'GET', level: 'bucket', reads: [...LISTING, 'marker'] },
  CreateBucket: { method: 'PUT', level: 'bucket' },
  HeadBucket: { method: 'HEAD', level: 'bucket' },
  DeleteBucket: { method: 'DELETE', level: 'bucket' },
  DeleteObjects: { method: 'POST', level: 'bucket', needs: ['delete'] },
  GetObjectTagging: { method: 'GET', level: 'object', needs: ['tagging'], reads: ['versionId'] },
  ListParts: {
    method: 'GET',
    level: 'object',
    needs: ['uploadId'],
    reads: ['max-parts', 'part-number-marker', 'encoding-type'],
  },
  GetObject: { method: 'GET', level: 'object', reads: [...OVERRIDES, 'versionId'] },
  HeadObject: { method: 'HEAD', level: 'object', reads: [...OVERRIDES, 'versionId'] },
  PutObjectTagging: { method: 'PUT', level: 'object', needs: ['tagging'], reads: ['versionId'] },
  UploadPartCopy: {
    method: 'PUT',
    level: 'object',
    needs: ['uploadId', 'partNumber'],
    header: 'x-amz-copy-source',
  },
  UploadPart: { method: 'PUT', level: 'object', needs: ['uploadId', 'partNumber'] },
  CopyObject: { method: 'PUT', level: 'object', header: 'x-amz-copy-source' },
  PutObject: { method: 'PUT', level: 'object' },
  CreateMultipartUpload: { method: 'POST', level: 'object', needs: ['uploads'] },
  CompleteMultipartUpload: { method: 'POST', level: 'object', needs: ['uploadId'] },
  AbortMultipartUpload: { method: 'DELETE', level: 'object', needs: ['uploadId'] },
  DeleteObjectTagging: {
    method: 'DELETE',
    level: 'object',
    needs: ['tagging'],
    reads: ['versionId'],
  },
  DeleteObject: { method: 'DELETE', level: 'object', reads: ['versionId'] },
} as const satisfies Record<string, Row>

/** An operation of the S3 API that Berth offers. */
export type S3Operation = keyof typeof OPERATIONS

const ROWS: readonly (readonly [S3Operation, Row])[] = Object.entries(OPERATIONS) as [
  S3Operation,
  Row,
][]

/**
 * The operation that a request asks for.
 *
 * @throws BerthError `NotImplemented`: it carries a sub-resource that Berth does not offer. `MethodNotAllowed`.
 */
export function chooseOperation(
  method: string,
  address: S3Address,
  hasHeader: (lowerName: string) => boolean,
): S3Operation {
  const level = levelOf(address)
  const names = [...address.query.keys()].filter((name) => !isNeutral(name))
  const candidates = ROWS.filter(([, row]) => row.method === method && row.level === level)
  for (const [operation, row] of candidates) {
    const { needs = [], reads = [], header } = row
    if (header !== undefined && !hasHeader(header)) continue
    if (!needs.every((name) => names.includes(name))) continue
    if (names.every((name) => needs.includes(name) || reads.includes(name))) return operation
  }
  if (names.length > 0) {
    throw new BerthError(
      'NotImplemented',
      `Berth does not offer ${method} with "${names.join('", "').slice(0, 200)}" on a ${level}.`,
    )
  }
  throw new BerthError(
    'MethodNotAllowed',
    'The specified method is not allowed against this resource.',
    { members: { Method: method, ResourceType: level.toUpperCase() } },
  )
}

function levelOf({ bucketName, key }: S3Address): Row['level'] {
  if (bucketName === undefined) return 'service'
  return key === undefined ? 'bucket' : 'object'
}

/** What signing and SDKs add. Hoisted `x-amz-…` headers of presigned URLs are read as headers. */
function isNeutral(name: string): boolean {
  return /^(x-id|x-amz-.*|AWSAccessKeyId|Signature|Expires)$/i.test(name)
}
