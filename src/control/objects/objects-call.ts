import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { BerthError } from '../../domain/errors.ts'
import type { ObjectAddress, ObjectStore } from '../../ports/object-store.ts'
import type { VerifiedRequest } from '../../wire/auth-types.ts'
import { findHeader } from '../../wire/headers.ts'

/** A request to the S3 face whose signature is verified; of the body only the promise is. */
export interface S3Request {
  readonly method: string
  /** Path and query exactly as sent. */
  readonly rawTarget: string
  /** As node's `rawHeaders`. */
  readonly rawHeaders: readonly string[]
  readonly body: Readable
  readonly auth: VerifiedRequest
  readonly requestId: string
  /** Aborts when the client goes away or the deadline passes. */
  readonly signal: AbortSignal
}

/** What the S3 face takes from its surroundings. */
export interface ObjectsDeps {
  readonly objectStore: ObjectStore
  readonly accountId: string
  readonly region: string
  /** Base domains for virtual-host style, without a leading dot, e.g. `localhost`. */
  readonly hostSuffixes: readonly string[]
  /** Told of what is a bug or a broken disk; the caller gets `InternalError` with the same request id. */
  readonly reportBug: (error: unknown, requestId: string) => void
}

/** One request on its way through an operation. */
export interface ObjectsCall {
  readonly request: S3Request
  readonly response: ServerResponse
  readonly deps: ObjectsDeps
  readonly query: ReadonlyMap<string, string>
  /** Empty at the level of the service. */
  readonly bucketName: string
  /** Empty at the level of a bucket. */
  readonly key: string
}

/** The object a call is about. */
export function addressOf({ bucketName, key }: ObjectsCall): ObjectAddress {
  return { bucketName, key }
}

/**
 * A request header. Presigners move `x-amz-…` headers into the query, so there they are read too – but not checksums:
 * JavaScript's presigner puts the one of the empty body there (data-plane reference §18.11).
 */
export function headerOf({ request, query }: ObjectsCall, lowerName: string): string | undefined {
  const header = findHeader(request.rawHeaders, lowerName)
  if (header !== undefined || request.auth.form === 'header') return header
  if (!lowerName.startsWith('x-amz-') || lowerName.includes('checksum')) return undefined
  for (const [name, value] of query) if (name.toLowerCase() === lowerName) return value
  return undefined
}

/** All header names in lower case, with those a presigner moved into the query. */
export function headerNamesOf({ request, query }: ObjectsCall): readonly string[] {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0)
  const moved = request.auth.form === 'header' ? [] : [...query.keys()]
  return [...new Set([...names, ...moved].map((name) => name.toLowerCase()))]
}

const ENCRYPTION = /^x-amz-(copy-source-)?server-side-encryption/
const NOT_OFFERED =
  /^x-amz-(object-lock|bucket-object-lock-enabled|website-redirect|object-ownership|write-offset)/

/**
 * Refuses what would be a silent lie if it were ignored: encryption, locks, ACLs, other storage classes.
 *
 * @throws BerthError `AccessDenied`: the bucket's owner is not the expected one.
 * @throws BerthError `NotImplemented`, `AccessControlListNotSupported`
 */
export function assertOffered(call: ObjectsCall): void {
  for (const name of ['x-amz-expected-bucket-owner', 'x-amz-source-expected-bucket-owner']) {
    const owner = headerOf(call, name)
    if (owner !== undefined && owner !== call.deps.accountId) {
      throw new BerthError('AccessDenied', 'Access Denied')
    }
  }
  const names = headerNamesOf(call)
  const refused = names.find((name) => ENCRYPTION.test(name) || NOT_OFFERED.test(name))
  if (refused !== undefined) {
    throw new BerthError('NotImplemented', `Berth does not offer what the header ${refused} asks.`)
  }
  const acl = headerOf(call, 'x-amz-acl') ?? 'private'
  const isOwned = acl === 'private' || acl === 'bucket-owner-full-control'
  if (!isOwned || names.some((name) => name.startsWith('x-amz-grant-'))) {
    throw new BerthError('AccessControlListNotSupported', 'The bucket does not allow ACLs')
  }
  const storageClass = headerOf(call, 'x-amz-storage-class') ?? 'STANDARD'
  if (storageClass !== 'STANDARD') {
    throw new BerthError(
      'NotImplemented',
      `Berth has one storage class, STANDARD, not ${storageClass.slice(0, 50)}.`,
    )
  }
  const version = call.query.get('versionId') ?? 'null'
  if (version !== 'null') {
    throw new BerthError(
      'NotImplemented',
      'Berth has no object versions; versionId may only be null.',
    )
  }
}
