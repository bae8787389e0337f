import type { ObjectStore } from '../../ports/object-store.ts'
import { BucketFiles } from './bucket-files.ts'
import { noSuchKey, translateFileError } from './file-errors.ts'
import { FolderIndex } from './folder-index.ts'
import { Layout } from './layout.ts'
import { listPage } from './listing.ts'
import { StoredObjects } from './stored-objects.ts'
import { UploadFiles } from './upload-files.ts'

/** What the store of files takes. */
export interface FileObjectStoreOptions {
  /** `<data-dir>/objects`; made if need be. One running store per folder. */
  readonly root: string
  /** Epoch milliseconds. */
  readonly nowMs: () => number
}

/**
 * Opens a folder as an object store; first removes what a crash left half-written in it.
 *
 * There is nothing to close: between calls it holds no file open.
 */
export async function openFileObjectStore({
  root,
  nowMs,
}: FileObjectStoreOptions): Promise<ObjectStore> {
  const layout = await Layout.open(root)
  const index = new FolderIndex()
  const buckets = new BucketFiles(layout, index, nowMs)
  const options = { layout, index, buckets, nowMs }
  const objects = new StoredObjects(options)
  const uploads = new UploadFiles(options, objects)
  const { folding } = layout
  return {
    createBucket: (name, signal) => run(signal, () => buckets.create(name)),
    findBucket: (name, signal) => run(signal, () => buckets.find(name)),
    listBuckets: (signal) => run(signal, () => buckets.list()),
    deleteBucket: (name, signal) => run(signal, () => buckets.delete(name)),

    putObject: (put, signal) => run(signal, () => objects.put(put, signal)),
    openObject: (address, signal) => run(signal, () => objects.open(address, signal)),
    headObject: (address, signal) =>
      run(signal, async () => {
        const opened = await objects.find(address)
        await opened?.file.close()
        if (opened === undefined) throw noSuchKey(address.key)
        const { uploadId: _, ...metadata } = opened.metadata
        return metadata
      }),
    deleteObject: (address, signal) => run(signal, () => objects.delete(address)),
    copyObject: (copy, signal) => run(signal, () => objects.copy(copy, signal)),
    saveTags: (address, tags, signal) => run(signal, () => objects.saveTags(address, tags, signal)),
    listObjects: (query, signal) =>
      run(signal, async () => {
        await buckets.require(query.bucketName)
        const path = layout.bucketPath(query.bucketName)
        return listPage({ path, folding, index }, query, signal)
      }),

    createUpload: (address, properties, signal) =>
      run(signal, () => uploads.create(address, properties)),
    putPart: (put, signal) => run(signal, () => uploads.putPart(put, signal)),
    listParts: (address, signal) => run(signal, () => uploads.listParts(address, signal)),
    completeUpload: (complete, signal) => run(signal, () => uploads.complete(complete, signal)),
    abortUpload: (address, signal) => run(signal, () => uploads.abort(address)),
  }
}

async function run<T>(signal: AbortSignal, operation: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  try {
    return await operation()
  } catch (error) {
    throw translateFileError(error)
  }
}
