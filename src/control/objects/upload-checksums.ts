import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ObjectBody, UploadAddress, UploadedPart } from '../../ports/object-store.ts'
import { createChecksum, findChecksumAlgorithm } from '../../wire/checksum.ts'
import type { ChecksumAlgorithm } from '../../wire/checksum.ts'
import { headerNamesOf, headerOf } from './objects-call.ts'
import type { ObjectsCall } from './objects-call.ts'

/** A part as a completion names it. */
export interface NamedPart {
  readonly partNumber: number
  readonly etag: string
  /** By lower-case algorithm. */
  readonly checksums: Readonly<Record<string, string>>
}

/** A checksum that a completion carries for the whole object. */
interface WholeChecksum {
  readonly algorithm: ChecksumAlgorithm
  /** `<base64>` of the bytes, or `<base64>-<parts>` of the parts' checksums. */
  readonly value: string
}

/**
 * Compares what a completion says of its parts' checksums with what was verified as they came.
 *
 * @throws BerthError `InvalidPart`: one differs. `BadDigest`: the checksum of the checksums does.
 */
export async function assertPartChecksums(
  call: ObjectsCall,
  upload: UploadAddress,
  named: readonly NamedPart[],
): Promise<void> {
  const whole = findWholeChecksum(call)
  const isComposite = whole?.value.includes('-') === true
  if (!isComposite && named.every(({ checksums }) => Object.keys(checksums).length === 0)) return
  const uploaded = await listUploaded(call, upload)
  if (uploaded === undefined) return
  for (const part of named) assertPart(part, uploaded.get(part.partNumber))
  if (!isComposite || whole === undefined) return
  const { algorithm, value } = whole
  const checksum = createChecksum(algorithm)
  for (const { partNumber } of named) {
    const text = uploaded.get(partNumber)?.checksums?.[algorithm.toLowerCase()] ?? ''
    checksum.update(Buffer.from(text, 'base64'))
  }
  if (`${checksum.digest()}-${named.length}` !== value) throw badDigest(algorithm)
}

/** Verifies size and full-object checksum of a completion while the parts are joined. */
export function verifyWhole(call: ObjectsCall): (body: ObjectBody) => ObjectBody {
  const whole = findWholeChecksum(call)
  const size = headerOf(call, 'x-amz-mp-object-size')
  return async function* verify(body) {
    const checksum =
      whole === undefined || whole.value.includes('-') ? undefined : createChecksum(whole.algorithm)
    let bytes = 0
    for await (const chunk of body) {
      bytes += chunk.byteLength
      checksum?.update(chunk)
      yield chunk
    }
    if (size !== undefined && size !== String(bytes)) {
      throw new BerthError(
        'InvalidRequest',
        `The provided 'x-amz-mp-object-size' header value ${size.slice(0, 30)} does not match what was computed: ${bytes}`,
      )
    }
    if (checksum !== undefined && whole !== undefined && checksum.digest() !== whole.value) {
      throw badDigest(whole.algorithm)
    }
  }
}

function findWholeChecksum(call: ObjectsCall): WholeChecksum | undefined {
  for (const name of headerNamesOf(call)) {
    const algorithm = findChecksumAlgorithm(name)
    const value = headerOf(call, name)
    if (algorithm !== undefined && value !== undefined) return { algorithm, value }
  }
  return undefined
}

/** Undefined when the upload is gone: completing it says whether that is a repetition. */
async function listUploaded(
  { deps, request }: ObjectsCall,
  upload: UploadAddress,
): Promise<ReadonlyMap<number, UploadedPart> | undefined> {
  try {
    const parts = await deps.objectStore.listParts(upload, request.signal)
    return new Map(parts.map((part) => [part.partNumber, part]))
  } catch (error) {
    if (isBerthError(error) && error.code === 'NoSuchUpload') return undefined
    throw error
  }
}

function assertPart(named: NamedPart, uploaded: UploadedPart | undefined): void {
  for (const [algorithm, value] of Object.entries(named.checksums)) {
    if (uploaded?.checksums?.[algorithm] === value) continue
    throw new BerthError(
      'InvalidPart',
      `The ${algorithm.toUpperCase()} of part ${named.partNumber} is not the one it was uploaded with.`,
      { members: { PartNumber: named.partNumber } },
    )
  }
}

function badDigest(algorithm: ChecksumAlgorithm): BerthError {
  return new BerthError(
    'BadDigest',
    `The ${algorithm} you specified did not match the calculated checksum.`,
  )
}
