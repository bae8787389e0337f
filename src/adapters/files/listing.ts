import { join } from 'node:path'
import type { ListObjects, ListedObject, ObjectPage } from '../../ports/object-store.ts'
import { isAbsent } from './file-errors.ts'
import { compareUtf8 } from './folder-index.ts'
import type { FolderIndex, IndexedEntry } from './folder-index.ts'
import { encodeFolderPath } from './key-path.ts'
import type { NameFolding } from './key-path.ts'
import { openObjectFile } from './object-file.ts'

const METADATA_READS_MAX = 16

/** Where a listing reads. */
export interface ListedBucket {
  readonly path: string
  readonly folding: NameFolding
  readonly index: FolderIndex
}

interface FoundObject {
  readonly key: string
  readonly path: string
}

/**
 * One page of a bucket. Folders are walked depth first in key order, beginning at the folder of the prefix and at the
 * place of `startAfter`: a page costs O(page + names of the folders it touches), the latter only when they are not in
 * the index. Then one small read per object of the page.
 */
export async function listPage(
  bucket: ListedBucket,
  query: ListObjects,
  signal: AbortSignal,
): Promise<ObjectPage> {
  const walk = new Walk(bucket, query, signal)
  await walk.visitPrefix()
  const objects: ListedObject[] = []
  for (let start = 0; start < walk.objects.length; start += METADATA_READS_MAX) {
    signal.throwIfAborted()
    const found = walk.objects.slice(start, start + METADATA_READS_MAX)
    const listed = await Promise.all(found.map(readListed))
    objects.push(...listed.filter((object) => object !== undefined))
  }
  return {
    objects,
    commonPrefixes: walk.commonPrefixes,
    nextStartAfter: walk.isTruncated ? walk.lastListed : undefined,
  }
}

/** Whether a folder holds an object at any depth. */
export async function hasObject(path: string, index: FolderIndex): Promise<boolean> {
  const entries = await index.list(path)
  if (entries.some((entry) => !entry.isFolder)) return true
  for (const entry of entries) {
    if (await hasObject(join(path, ...entry.path), index)) return true
  }
  return false
}

class Walk {
  readonly objects: FoundObject[] = []
  readonly commonPrefixes: string[] = []
  lastListed: string | undefined
  isTruncated = false
  readonly #bucket: ListedBucket
  readonly #signal: AbortSignal
  readonly #prefix: string
  readonly #delimiter: string
  readonly #startAfter: string
  readonly #entriesMax: number

  constructor(bucket: ListedBucket, query: ListObjects, signal: AbortSignal) {
    this.#bucket = bucket
    this.#signal = signal
    this.#prefix = query.prefix ?? ''
    this.#delimiter = query.delimiter ?? ''
    this.#startAfter = query.startAfter ?? ''
    this.#entriesMax = query.entriesMax
  }

  async visitPrefix(): Promise<void> {
    // No key is longer, and no folder name could hold it.
    if (this.#entriesMax === 0 || Buffer.byteLength(this.#prefix) > 1024) return
    const elements = this.#prefix.split('/').slice(0, -1)
    const folderKey = elements.map((element) => `${element}/`).join('')
    const { path, folding } = this.#bucket
    await this.#visit(join(path, ...encodeFolderPath(elements, folding)), folderKey)
  }

  /** @returns whether the walk goes on after this folder. */
  async #visit(path: string, folderKey: string): Promise<boolean> {
    this.#signal.throwIfAborted()
    const entries = await this.#bucket.index.list(path)
    for (let at = this.#firstOf(entries, folderKey); at < entries.length; at += 1) {
      const entry = entries[at]
      if (entry === undefined) break
      const key = folderKey + entry.sortName
      if (!key.startsWith(this.#prefix)) return false
      if (!(await this.#visitEntry(join(path, ...entry.path), key, entry.isFolder))) return false
    }
    return true
  }

  async #visitEntry(path: string, key: string, isFolder: boolean): Promise<boolean> {
    const commonPrefix = this.#commonPrefixOf(key)
    if (commonPrefix === undefined) {
      if (isFolder) return this.#visit(path, key)
      return this.#add(key, () => this.objects.push({ key, path }))
    }
    // One that was listed before, on this page or an earlier one.
    if (commonPrefix === this.commonPrefixes.at(-1)) return true
    if (compareUtf8(commonPrefix, this.#startAfter) <= 0) return true
    if (isFolder && !(await hasObject(path, this.#bucket.index))) return true
    return this.#add(commonPrefix, () => this.commonPrefixes.push(commonPrefix))
  }

  #add(listed: string, push: () => void): boolean {
    if (this.objects.length + this.commonPrefixes.length === this.#entriesMax) {
      this.isTruncated = true
      return false
    }
    push()
    this.lastListed = listed
    return true
  }

  #commonPrefixOf(key: string): string | undefined {
    if (this.#delimiter === '') return undefined
    const at = key.indexOf(this.#delimiter, this.#prefix.length)
    return at === -1 ? undefined : key.slice(0, at + this.#delimiter.length)
  }

  /** Binary search: what lies before the prefix or not after `startAfter` stands in front. */
  #firstOf(entries: readonly IndexedEntry[], folderKey: string): number {
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = entries[middle]
      if (entry !== undefined && this.#isBefore(entry, folderKey)) low = middle + 1
      else high = middle
    }
    return low
  }

  #isBefore({ sortName, isFolder }: IndexedEntry, folderKey: string): boolean {
    const key = folderKey + sortName
    if (compareUtf8(key, this.#prefix) < 0) return true
    if (isFolder && this.#startAfter.startsWith(key)) return false
    return compareUtf8(key, this.#startAfter) <= 0 && this.#startAfter !== ''
  }
}

/** Undefined when the object was deleted since its name was read. */
async function readListed({ key, path }: FoundObject): Promise<ListedObject | undefined> {
  try {
    const { file, metadata } = await openObjectFile(path)
    await file.close()
    const { etag, sizeBytes, modifiedAtMs } = metadata
    return { key, etag, sizeBytes, modifiedAtMs }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}
