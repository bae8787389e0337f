import { rm, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import type {
  ByteRange,
  CopyObject,
  ObjectAddress,
  ObjectBody,
  OpenedObject,
  PutObject,
  StoredObject,
  WriteCondition,
} from '../../ports/object-store.ts'
import type { BucketFiles } from './bucket-files.ts'
import { isAbsent, noSuchKey } from './file-errors.ts'
import type { FolderIndex } from './folder-index.ts'
import { KeyLock } from './key-lock.ts'
import { encodeKeyPath } from './key-path.ts'
import { syncFolder } from './layout.ts'
import type { Layout } from './layout.ts'
import { openObjectFile, readBytes, writeObjectFile } from './object-file.ts'
import type { FileMetadata, ObjectFile, WrittenBytes } from './object-file.ts'

/** What the operations on objects share. */
export interface StoredObjectsOptions {
  readonly layout: Layout
  readonly index: FolderIndex
  readonly buckets: BucketFiles
  readonly nowMs: () => number
}

/** A write on its way to becoming an object. */
export interface Write extends ObjectAddress {
  readonly body: ObjectBody
  readonly describe: (written: WrittenBytes) => FileMetadata
  readonly condition?: WriteCondition | undefined
}

/** Objects as files: write aside, then move into place. */
export class StoredObjects {
  readonly #layout: Layout
  readonly #index: FolderIndex
  readonly #buckets: BucketFiles
  readonly #nowMs: () => number
  // Only the last step of a write holds it, so a slow upload delays nobody.
  readonly #lock = new KeyLock()

  constructor({ layout, index, buckets, nowMs }: StoredObjectsOptions) {
    this.#layout = layout
    this.#index = index
    this.#buckets = buckets
    this.#nowMs = nowMs
  }

  async put(put: PutObject, signal: AbortSignal): Promise<StoredObject> {
    return this.write(
      {
        ...put,
        describe: ({ sizeBytes, md5 }) => ({
          etag: md5,
          sizeBytes,
          modifiedAtMs: this.#nowMs(),
          properties: put.properties ?? {},
          checksums: put.checksums?.(),
        }),
      },
      signal,
    )
  }

  async write(write: Write, signal: AbortSignal): Promise<StoredObject> {
    const elements = encodeKeyPath(write.key, this.#layout.folding)
    await this.#buckets.require(write.bucketName)
    const incoming = this.#layout.incomingPath()
    try {
      const { body, describe } = write
      const metadata = await writeObjectFile(incoming, body, describe, signal)
      await this.#lock.run(lockKeyOf(write), async () => {
        await this.#assertCondition(write)
        signal.throwIfAborted()
        await this.#layout.place(incoming, write.bucketName, elements)
        this.#forget(write.bucketName, elements)
      })
      const { etag, sizeBytes, modifiedAtMs } = metadata
      return { etag, sizeBytes, modifiedAtMs }
    } catch (error) {
      await rm(incoming, { force: true })
      throw error
    }
  }

  async open(address: ObjectAddress, signal: AbortSignal): Promise<OpenedObject> {
    const opened = await this.find(address)
    if (opened === undefined) throw noSuchKey(address.key)
    const { uploadId: _, ...metadata } = opened.metadata
    return {
      metadata,
      read: (range?: ByteRange) => readBytes(opened, range, signal),
      close: () => opened.file.close(),
    }
  }

  /** Opens an object, if the bucket has it. @throws BerthError `NoSuchBucket` */
  async find({ bucketName, key }: ObjectAddress): Promise<ObjectFile | undefined> {
    const elements = encodeKeyPath(key, this.#layout.folding)
    try {
      return await openObjectFile(join(this.#layout.bucketPath(bucketName), ...elements))
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
    await this.#buckets.require(bucketName)
    return undefined
  }

  async delete({ bucketName, key }: ObjectAddress): Promise<void> {
    const elements = encodeKeyPath(key, this.#layout.folding)
    const path = join(this.#layout.bucketPath(bucketName), ...elements)
    await this.#lock.run(lockKeyOf({ bucketName, key }), async () => {
      try {
        await unlink(path)
        await syncFolder(dirname(path))
      } catch (error) {
        if (!isAbsent(error)) throw error
        await this.#buckets.require(bucketName)
        return
      }
      await this.#layout.prune(bucketName, elements.slice(0, -1))
      this.#forget(bucketName, elements)
    })
  }

  async copy(copy: CopyObject, signal: AbortSignal): Promise<StoredObject> {
    const source = await this.open(copy.source, signal)
    try {
      if (copy.sourceEtag !== undefined && copy.sourceEtag !== source.metadata.etag) {
        throw preconditionFailed('x-amz-copy-source-If-Match')
      }
      const properties = copy.properties ?? source.metadata.properties
      const { condition, target } = copy
      return await this.put({ ...target, body: source.read(), properties, condition }, signal)
    } finally {
      await source.close()
    }
  }

  /**
   * Writes the whole object again: bytes and metadata are one file. ETag and time stay, and a write that came between
   * wins over the tags (it has its own).
   */
  async saveTags(
    address: ObjectAddress,
    tags: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const opened = await this.find(address)
    if (opened === undefined) throw noSuchKey(address.key)
    try {
      const { metadata } = opened
      const properties = { ...metadata.properties, tags }
      await this.write(
        {
          ...address,
          body: readBytes(opened, undefined, signal),
          describe: () => ({ ...metadata, properties }),
          condition: { kind: 'etag', etag: metadata.etag },
        },
        signal,
      )
    } finally {
      await opened.file.close()
    }
  }

  async #assertCondition({ condition, bucketName, key }: Write): Promise<void> {
    if (condition === undefined) return
    const current = await this.find({ bucketName, key })
    await current?.file.close()
    if (condition.kind === 'absent') {
      if (current !== undefined) throw preconditionFailed('If-None-Match')
      return
    }
    // As S3: what is not there cannot be replaced.
    if (current === undefined) throw noSuchKey(key)
    if (current.metadata.etag !== condition.etag) throw preconditionFailed('If-Match')
  }

  // A new name may have made folders all the way up.
  #forget(bucketName: string, elements: readonly string[]): void {
    let path = this.#layout.bucketPath(bucketName)
    this.#index.forget(path)
    for (const element of elements.slice(0, -1)) {
      path = join(path, element)
      this.#index.forget(path)
    }
  }
}

/** @returns the failure of a condition, which names its header as S3 does. */
export function preconditionFailed(condition: string): BerthError {
  return new BerthError(
    'PreconditionFailed',
    'At least one of the pre-conditions you specified did not hold',
    { members: { Condition: condition } },
  )
}

function lockKeyOf({ bucketName, key }: ObjectAddress): string {
  return `${bucketName}/${key}`
}
