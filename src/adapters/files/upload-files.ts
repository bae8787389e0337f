import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import type {
  CompleteUpload,
  ObjectAddress,
  ObjectProperties,
  PutPart,
  StoredObject,
  UploadAddress,
  UploadedPart,
} from '../../ports/object-store.ts'
import { isAbsent } from './file-errors.ts'
import { KeyLock } from './key-lock.ts'
import { encodeKeyPath } from './key-path.ts'
import { syncFolder } from './layout.ts'
import { openObjectFile, readBytes, writeObjectFile } from './object-file.ts'
import type { FileMetadata } from './object-file.ts'
import type { StoredObjects, StoredObjectsOptions } from './stored-objects.ts'

const UPLOAD_FILE = 'upload.json'
const PART_SUFFIX = '.part'
const PART_BYTES_MIN = 5 * 1024 * 1024
const PARTS_MAX = 10_000

interface UploadRecord {
  readonly key: string
  readonly properties: ObjectProperties
}

/**
 * Uploads in parts: a folder per upload, an object file per part. They outlive a restart and end only by completion,
 * abort, or deletion of their bucket.
 */
export class UploadFiles {
  readonly #options: StoredObjectsOptions
  readonly #objects: StoredObjects
  // Completing and aborting the same upload follow one another.
  readonly #lock = new KeyLock()

  constructor(options: StoredObjectsOptions, objects: StoredObjects) {
    this.#options = options
    this.#objects = objects
  }

  async create({ bucketName, key }: ObjectAddress, properties: ObjectProperties): Promise<string> {
    const { layout, buckets } = this.#options
    encodeKeyPath(key, layout.folding)
    await buckets.require(bucketName)
    const uploadId = randomUUID().replaceAll('-', '')
    const incoming = layout.incomingPath()
    await mkdir(incoming, { mode: 0o700 })
    try {
      const record: UploadRecord = { key, properties }
      await writeFile(join(incoming, UPLOAD_FILE), JSON.stringify(record), { flush: true })
      await mkdir(layout.uploadsPath(bucketName), { recursive: true, mode: 0o700 })
      await rename(incoming, join(layout.uploadsPath(bucketName), uploadId))
    } catch (error) {
      await rm(incoming, { recursive: true, force: true })
      throw error
    }
    await syncFolder(layout.uploadsPath(bucketName))
    return uploadId
  }

  async putPart(put: PutPart, signal: AbortSignal): Promise<UploadedPart> {
    const { layout, nowMs } = this.#options
    const { partNumber } = put
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > PARTS_MAX) {
      throw new BerthError(
        'InvalidArgument',
        `Part number must be an integer between 1 and ${PARTS_MAX}, inclusive`,
      )
    }
    const { folder } = await this.#require(put)
    const incoming = layout.incomingPath()
    try {
      const metadata = await writeObjectFile(
        incoming,
        put.body,
        ({ sizeBytes, md5 }) => ({
          etag: md5,
          sizeBytes,
          modifiedAtMs: nowMs(),
          properties: {},
          checksums: put.checksums?.(),
        }),
        signal,
      )
      await rename(incoming, join(folder, partName(partNumber)))
      await syncFolder(folder)
      return uploadedPart(partNumber, metadata)
    } catch (error) {
      await rm(incoming, { force: true })
      // Aborted or completed while the part was on its way.
      throw isAbsent(error) ? noSuchUpload(put.uploadId) : error
    }
  }

  async listParts(address: UploadAddress, signal: AbortSignal): Promise<readonly UploadedPart[]> {
    const { folder } = await this.#require(address)
    const names = await readdir(folder)
    const parts: UploadedPart[] = []
    for (const name of names.filter((file) => file.endsWith(PART_SUFFIX)).sort()) {
      signal.throwIfAborted()
      const part = await findPart(folder, Number.parseInt(name, 10))
      if (part !== undefined) parts.push(part)
    }
    return parts
  }

  async complete(complete: CompleteUpload, signal: AbortSignal): Promise<StoredObject> {
    return this.#lock.run(complete.uploadId, async () => {
      const upload = await this.#find(complete)
      if (upload === undefined) return this.#repeated(complete)
      const { folder, record } = upload
      const parts = await choosePartsOf(complete, folder, signal)
      const joined = joinParts(folder, parts, signal)
      const { bucketName, key, condition, uploadId } = complete
      const stored = await this.#objects.write(
        {
          bucketName,
          key,
          condition,
          body: complete.verify?.(joined) ?? joined,
          describe: ({ sizeBytes }) => ({
            etag: etagOfParts(parts),
            sizeBytes,
            modifiedAtMs: this.#options.nowMs(),
            properties: record.properties,
            uploadId,
          }),
        },
        signal,
      )
      await rm(folder, { recursive: true, force: true })
      return stored
    })
  }

  async abort(address: UploadAddress): Promise<void> {
    await this.#lock.run(address.uploadId, async () => {
      const { folder } = await this.#require(address)
      // Aside first: half an upload must not be found after a crash.
      const removed = this.#options.layout.incomingPath()
      await rename(folder, removed)
      await rm(removed, { recursive: true, force: true })
    })
  }

  /** The reply to a completion may have been lost: the object remembers which upload made it. */
  async #repeated(complete: CompleteUpload): Promise<StoredObject> {
    const opened = await this.#objects.find(complete)
    await opened?.file.close()
    if (opened?.metadata.uploadId !== complete.uploadId) throw noSuchUpload(complete.uploadId)
    const { etag, sizeBytes, modifiedAtMs } = opened.metadata
    return { etag, sizeBytes, modifiedAtMs }
  }

  async #require(address: UploadAddress): Promise<{ folder: string; record: UploadRecord }> {
    const upload = await this.#find(address)
    if (upload === undefined) throw noSuchUpload(address.uploadId)
    return upload
  }

  async #find({
    bucketName,
    key,
    uploadId,
  }: UploadAddress): Promise<{ folder: string; record: UploadRecord } | undefined> {
    await this.#options.buckets.require(bucketName)
    // The id becomes a folder name.
    if (!/^[0-9a-f]{32}$/.test(uploadId)) return undefined
    const folder = join(this.#options.layout.uploadsPath(bucketName), uploadId)
    try {
      // Moved into place whole, so what is there was written by `create`.
      const record = JSON.parse(await readFile(join(folder, UPLOAD_FILE), 'utf8')) as UploadRecord
      return record.key === key ? { folder, record } : undefined
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }
}

function partName(partNumber: number): string {
  return String(partNumber).padStart(5, '0') + PART_SUFFIX
}

async function findPart(folder: string, partNumber: number): Promise<UploadedPart | undefined> {
  try {
    const { file, metadata } = await openObjectFile(join(folder, partName(partNumber)))
    await file.close()
    return uploadedPart(partNumber, metadata)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function uploadedPart(partNumber: number, metadata: FileMetadata): UploadedPart {
  const { etag, sizeBytes, modifiedAtMs, checksums } = metadata
  return { partNumber, etag, sizeBytes, modifiedAtMs, checksums }
}

/** The uploaded parts that the completion names, in its order. */
async function choosePartsOf(
  { parts, uploadId }: CompleteUpload,
  folder: string,
  signal: AbortSignal,
): Promise<readonly UploadedPart[]> {
  const chosen: UploadedPart[] = []
  for (const { partNumber, etag } of parts) {
    signal.throwIfAborted()
    if (partNumber <= (chosen.at(-1)?.partNumber ?? 0)) {
      throw new BerthError(
        'InvalidPartOrder',
        'The list of parts was not in ascending order. Parts must be ordered by part number.',
      )
    }
    const part = await findPart(folder, partNumber)
    if (part === undefined || part.etag !== etag) throw invalidPart(uploadId, partNumber, etag)
    chosen.push(part)
  }
  const tooSmall = chosen.slice(0, -1).find(({ sizeBytes }) => sizeBytes < PART_BYTES_MIN)
  if (tooSmall !== undefined) throw partTooSmall(tooSmall)
  return chosen
}

async function* joinParts(
  folder: string,
  parts: readonly UploadedPart[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const { partNumber, etag } of parts) {
    const opened = await openObjectFile(join(folder, partName(partNumber)))
    try {
      // Uploaded anew since it was chosen.
      if (opened.metadata.etag !== etag) throw invalidPart('', partNumber, etag)
      yield* readBytes(opened, undefined, signal)
    } finally {
      await opened.file.close()
    }
  }
}

/** Example: parts with MD5 a and b → `md5(bytes(a) ‖ bytes(b))-2`. */
function etagOfParts(parts: readonly UploadedPart[]): string {
  const md5 = createHash('md5')
  for (const { etag } of parts) md5.update(Buffer.from(etag, 'hex'))
  return `${md5.digest('hex')}-${parts.length}`
}

function noSuchUpload(uploadId: string): BerthError {
  return new BerthError(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    { members: { UploadId: uploadId.slice(0, 255) } },
  )
}

function invalidPart(uploadId: string, partNumber: number, etag: string): BerthError {
  return new BerthError(
    'InvalidPart',
    "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    { members: { UploadId: uploadId, PartNumber: partNumber, ETag: etag } },
  )
}

function partTooSmall({ partNumber, etag, sizeBytes }: UploadedPart): BerthError {
  return new BerthError(
    'EntityTooSmall',
    'Your proposed upload is smaller than the minimum allowed size',
    {
      members: {
        ProposedSize: sizeBytes,
        MinSizeAllowed: PART_BYTES_MIN,
        PartNumber: partNumber,
        ETag: etag,
      },
    },
  )
}
