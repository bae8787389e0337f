import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '../../domain/errors.ts'
import type { Bucket } from '../../ports/object-store.ts'
import { isAbsent, noSuchBucket, systemCodeOf } from './file-errors.ts'
import type { FolderIndex } from './folder-index.ts'
import { syncFolder } from './layout.ts'
import type { Layout } from './layout.ts'
import { hasObject } from './listing.ts'

/** Written into each bucket; no encoded key has this name. */
const BUCKET_FILE = '%bucket'

/** Buckets as folders. */
export class BucketFiles {
  readonly #layout: Layout
  readonly #index: FolderIndex
  readonly #nowMs: () => number

  constructor(layout: Layout, index: FolderIndex, nowMs: () => number) {
    this.#layout = layout
    this.#index = index
    this.#nowMs = nowMs
  }

  async create(bucketName: string): Promise<'created' | 'existed'> {
    const path = this.#layout.bucketPath(bucketName)
    if ((await this.find(bucketName)) !== undefined) return 'existed'
    const incoming = this.#layout.incomingPath()
    await mkdir(incoming, { mode: 0o700 })
    try {
      const bucketFile = join(incoming, BUCKET_FILE)
      await writeFile(bucketFile, JSON.stringify({ createdAtMs: this.#nowMs() }) + '\n')
      await rename(incoming, path)
    } catch (error) {
      await rm(incoming, { recursive: true, force: true })
      // Someone else was faster: a folder that is not empty cannot be replaced.
      const code = systemCodeOf(error)
      if (code === 'ENOTEMPTY' || code === 'EEXIST') return 'existed'
      throw error
    }
    await syncFolder(this.#layout.root)
    return 'created'
  }

  async find(bucketName: string): Promise<Bucket | undefined> {
    const path = this.#layout.bucketPath(bucketName)
    try {
      return { name: bucketName, createdAtMs: await readCreatedAtMs(path) }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** @throws BerthError `NoSuchBucket` */
  async require(bucketName: string): Promise<Bucket> {
    const bucket = await this.find(bucketName)
    if (bucket === undefined) throw noSuchBucket(bucketName)
    return bucket
  }

  async list(): Promise<readonly Bucket[]> {
    const names: string[] = []
    for (const dirent of await readdir(this.#layout.root, { withFileTypes: true })) {
      if (dirent.isDirectory() && !dirent.name.startsWith('.')) names.push(dirent.name)
    }
    const buckets = await Promise.all(names.sort().map((name) => this.#findListed(name)))
    return buckets.filter((bucket) => bucket !== undefined)
  }

  /**
   * Taken out of the way first and judged then: an upload that ends in between finds no bucket, instead of vanishing
   * with it.
   */
  async delete(bucketName: string): Promise<void> {
    const path = this.#layout.bucketPath(bucketName)
    await this.require(bucketName)
    if (await hasObject(path, this.#index)) throw bucketNotEmpty(bucketName)
    const removed = this.#layout.incomingPath()
    await rename(path, removed)
    if (await hasObject(removed, this.#index)) {
      await rename(removed, path)
      throw bucketNotEmpty(bucketName)
    }
    await syncFolder(this.#layout.root)
    await rm(removed, { recursive: true })
    await rm(this.#layout.uploadsPath(bucketName), { recursive: true, force: true })
  }

  // A folder that someone else put there under a name no bucket may have is not ours to list.
  async #findListed(name: string): Promise<Bucket | undefined> {
    try {
      return await this.find(name)
    } catch (error) {
      if (error instanceof BerthError && error.code === 'InvalidBucketName') return undefined
      throw error
    }
  }
}

async function readCreatedAtMs(bucketPath: string): Promise<number> {
  try {
    const content: unknown = JSON.parse(await readFile(join(bucketPath, BUCKET_FILE), 'utf8'))
    if (typeof content === 'object' && content !== null && 'createdAtMs' in content) {
      if (typeof content.createdAtMs === 'number') return content.createdAtMs
    }
  } catch (error) {
    // A folder that a person made is a bucket too; a half-written date is worth less than the bucket.
    if (!isAbsent(error) && !(error instanceof SyntaxError)) throw error
  }
  return Math.round((await stat(bucketPath)).birthtimeMs)
}

function bucketNotEmpty(bucketName: string): BerthError {
  return new BerthError('BucketNotEmpty', 'The bucket you tried to delete is not empty', {
    members: { BucketName: bucketName },
  })
}
