import { createHash } from 'node:crypto'
import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ObjectBody, ObjectChecksums } from '../../ports/object-store.ts'
import { decodeAwsChunked } from '../../wire/aws-chunked.ts'
import { checksumHeader, createChecksum, findChecksumAlgorithm } from '../../wire/checksum.ts'
import type { Checksum, ChecksumAlgorithm } from '../../wire/checksum.ts'
import { headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'

/** Largest object of one PUT and largest part, as S3. */
const BODY_BYTES_MAX = 5 * 1024 ** 3
/** For documents of a few elements. */
export const SMALL_XML_BYTES_MAX = 64 * 1024
/** For 10 000 parts with checksums or 1000 keys of 1024 escaped bytes. */
export const LARGE_XML_BYTES_MAX = 4 * 1024 ** 2

const ALGORITHMS: readonly ChecksumAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']
const CHECKSUM_BYTES: Readonly<Record<ChecksumAlgorithm, number>> = {
  CRC32: 4,
  CRC32C: 4,
  CRC64NVME: 8,
  SHA1: 20,
  SHA256: 32,
}

/** A body that throws at its end unless it is the one that was signed and announced. */
export interface IncomingBody {
  readonly body: ObjectBody
  /** What was verified, by lower-case algorithm; complete after the last byte. */
  readonly checksums: () => ObjectChecksums
}

/** What the head of a request promises of its body. */
interface Promised {
  readonly sizeBytes: number | undefined
  readonly sha256: string | undefined
  readonly contentMd5: string | undefined
  /** The value is undefined while it is still to come in a trailer. */
  readonly checksums: Map<ChecksumAlgorithm, string | undefined>
}

/**
 * Opens the body of an upload: decodes aws-chunked and verifies size, signed hash, Content-MD5 and checksums while the
 * bytes pass. Whoever consumes it must throw the bytes away when it throws.
 *
 * @throws BerthError `MissingContentLength`, `EntityTooLarge`, `InvalidDigest`, `InvalidRequest`: from the head alone.
 */
export function openBody(call: ObjectsCall): IncomingBody {
  const promised = promisedBody(call)
  if (promised.sizeBytes === undefined) {
    throw new BerthError('MissingContentLength', 'You must provide the Content-Length HTTP header.')
  }
  if (promised.sizeBytes > BODY_BYTES_MAX) throw tooLarge(promised.sizeBytes, BODY_BYTES_MAX)
  return openPromised(call, promised)
}

/** Reads a whole XML body. @throws BerthError `EntityTooLarge` */
export async function readText(call: ObjectsCall, bytesMax: number): Promise<string> {
  const { body } = openPromised(call, promisedBody(call))
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw tooLarge(bytes, bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Says in a reply which checksums were verified. */
export function checksumHeaders(checksums: ObjectChecksums): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [algorithm, value] of Object.entries(checksums)) {
    headers[`x-amz-checksum-${algorithm}`] = value
  }
  return headers
}

function openPromised(call: ObjectsCall, promised: Promised): IncomingBody {
  const verified: Record<string, string> = {}
  return {
    body: verify(decode(call, promised), promised, verified),
    checksums: () => verified,
  }
}

function decode(call: ObjectsCall, promised: Promised): ObjectBody {
  const { payload } = call.request.auth
  const raw = readRaw(call)
  if (payload.kind !== 'streaming') return raw
  const decodedBytes = promised.sizeBytes
  const trailerNames = trailerNamesOf(call)
  return decodeAwsChunked(raw, { payload, decodedBytes, trailerNames }, (trailers) => {
    for (const [name, value] of trailers) {
      const algorithm = findChecksumAlgorithm(name)
      if (algorithm !== undefined)
        promised.checksums.set(algorithm, parseChecksum(algorithm, value))
    }
  })
}

async function* readRaw({ request }: ObjectsCall): ObjectBody {
  try {
    // Not destroyed when we stop early: that would close the socket before the reply that says why.
    const body: AsyncIterable<Uint8Array> = request.body.iterator({ destroyOnReturn: false })
    yield* body
  } catch (error) {
    if (isBerthError(error)) throw error
    throw new BerthError('IncompleteBody', 'The connection broke before the end of the body.', {
      cause: error,
    })
  }
}

async function* verify(
  source: ObjectBody,
  promised: Promised,
  verified: Record<string, string>,
): ObjectBody {
  const sha256 = promised.sha256 === undefined ? undefined : createHash('sha256')
  const md5 = promised.contentMd5 === undefined ? undefined : createHash('md5')
  const checksums = [...promised.checksums.keys()].map(createChecksum)
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.byteLength
    sha256?.update(chunk)
    md5?.update(chunk)
    for (const checksum of checksums) checksum.update(chunk)
    yield chunk
  }
  if (promised.sizeBytes !== undefined && bytes !== promised.sizeBytes) {
    throw new BerthError(
      'IncompleteBody',
      'You did not provide the number of bytes specified by the Content-Length HTTP header',
    )
  }
  if (sha256?.digest('hex') !== promised.sha256) {
    throw new BerthError(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
  }
  if (md5?.digest('base64') !== promised.contentMd5) {
    throw new BerthError(
      'BadDigest',
      'The Content-MD5 you specified did not match what we received.',
    )
  }
  for (const checksum of checksums) verifyChecksum(checksum, promised, verified)
}

function verifyChecksum(
  checksum: Checksum,
  promised: Promised,
  verified: Record<string, string>,
): void {
  const { algorithm } = checksum
  const computed = checksum.digest()
  if (computed !== promised.checksums.get(algorithm)) {
    throw new BerthError(
      'BadDigest',
      `The ${algorithm} you specified did not match the calculated checksum.`,
    )
  }
  verified[algorithm.toLowerCase()] = computed
}

function promisedBody(call: ObjectsCall): Promised {
  const { payload } = call.request.auth
  const lengthHeader =
    payload.kind === 'streaming' ? 'x-amz-decoded-content-length' : 'content-length'
  const length = headerOf(call, lengthHeader)
  if (length !== undefined && !/^\d{1,15}$/.test(length)) {
    throw new BerthError('InvalidArgument', `The header ${lengthHeader} must be a number of bytes.`)
  }
  const contentMd5 = headerOf(call, 'content-md5')
  if (contentMd5 !== undefined && !isBase64Of(contentMd5, 16)) {
    throw new BerthError('InvalidDigest', 'The Content-MD5 you specified was invalid.')
  }
  return {
    sizeBytes: length === undefined ? undefined : Number(length),
    sha256: payload.kind === 'hash' ? payload.sha256 : undefined,
    contentMd5,
    checksums: promisedChecksums(call),
  }
}

function promisedChecksums(call: ObjectsCall): Map<ChecksumAlgorithm, string | undefined> {
  const checksums = new Map<ChecksumAlgorithm, string | undefined>()
  for (const algorithm of ALGORITHMS) {
    const value = headerOf(call, checksumHeader(algorithm))
    if (value !== undefined) checksums.set(algorithm, parseChecksum(algorithm, value))
  }
  for (const name of trailerNamesOf(call)) {
    const algorithm = findChecksumAlgorithm(name)
    if (algorithm !== undefined) checksums.set(algorithm, undefined)
  }
  if (checksums.size > 1) {
    throw new BerthError(
      'InvalidRequest',
      'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    )
  }
  if (checksums.size === 0 && headerOf(call, 'x-amz-sdk-checksum-algorithm') !== undefined) {
    throw new BerthError(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    )
  }
  return checksums
}

function trailerNamesOf(call: ObjectsCall): readonly string[] {
  if (call.request.auth.payload.kind !== 'streaming') return []
  const names = headerOf(call, 'x-amz-trailer')?.split(',') ?? []
  return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== '')
}

function parseChecksum(algorithm: ChecksumAlgorithm, value: string): string {
  if (isBase64Of(value, CHECKSUM_BYTES[algorithm])) return value
  throw new BerthError(
    'InvalidRequest',
    `Value for x-amz-checksum-${algorithm.toLowerCase()} header is invalid.`,
  )
}

function isBase64Of(text: string, bytes: number): boolean {
  const decoded = Buffer.from(text, 'base64')
  return decoded.length === bytes && decoded.toString('base64') === text
}

function tooLarge(proposedBytes: number, bytesMax: number): BerthError {
  return new BerthError(
    'EntityTooLarge',
    'Your proposed upload exceeds the maximum allowed object size.',
    { members: { ProposedSize: proposedBytes, MaxSizeAllowed: bytesMax } },
  )
}
