import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isAbsent } from './file-errors.ts'
import { parseEntryName } from './key-path.ts'

// About 100 bytes each: the cache stays under 50 MB.
const CACHED_ENTRIES_MAX = 400_000

/** One thing in a folder of a bucket: an object, or a folder of further keys. */
export interface IndexedEntry {
  /** What it adds to the key; a folder's ends in `/`. */
  readonly sortName: string
  readonly isFolder: boolean
  /** Names below the folder that was indexed: more than one for a key element too long for one. */
  readonly path: readonly string[]
}

interface CachedFolder {
  readonly changedAtNs: readonly bigint[]
  readonly entries: readonly IndexedEntry[]
}

/**
 * The sorted content of folders, remembered between the pages of one listing.
 *
 * Reading and sorting n names costs O(n log n) once; a further page finds its place in O(log n). An entry is valid while
 * our own writes have not forgotten it and the folder's modification time has not moved.
 */
export class FolderIndex {
  readonly #folderByPath = new Map<string, CachedFolder>()
  #entryCount = 0
  // Moves with every forget, so that a read that overlapped a write is not remembered.
  #version = 0

  /** In UTF-8 byte order of `sortName`; empty when the folder does not exist. */
  async list(path: string): Promise<readonly IndexedEntry[]> {
    const cached = this.#folderByPath.get(path)
    if (cached !== undefined && (await isCurrent(path, cached))) {
      this.#folderByPath.delete(path)
      this.#folderByPath.set(path, cached)
      return cached.entries
    }
    this.forget(path)
    const version = this.#version
    const folder = await readFolder(path)
    if (folder === undefined) return []
    if (version === this.#version) this.#remember(path, folder)
    return folder.entries
  }

  /** A name in the folder has come or gone. */
  forget(path: string): void {
    this.#version += 1
    const cached = this.#folderByPath.get(path)
    if (cached === undefined) return
    this.#folderByPath.delete(path)
    this.#entryCount -= cached.entries.length
  }

  #remember(path: string, folder: CachedFolder): void {
    if (folder.entries.length > CACHED_ENTRIES_MAX) return
    this.#folderByPath.set(path, folder)
    this.#entryCount += folder.entries.length
    while (this.#entryCount > CACHED_ENTRIES_MAX) {
      const oldest = this.#folderByPath.keys().next()
      if (oldest.done) return
      this.forget(oldest.value)
    }
  }
}

async function readFolder(path: string): Promise<CachedFolder | undefined> {
  try {
    const changedAtNs: bigint[] = []
    const entries = await readEntries(path, '', [], changedAtNs)
    entries.sort((left, right) => compareUtf8(left.sortName, right.sortName))
    return { changedAtNs, entries }
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** Names that continue in a folder of their own are read along: they sort among their siblings. */
async function readEntries(
  root: string,
  start: string,
  path: readonly string[],
  changedAtNs: bigint[],
): Promise<IndexedEntry[]> {
  const folder = join(root, ...path)
  // Before the names: a change between the two makes the entry stale, not wrong.
  changedAtNs.push((await stat(folder, { bigint: true })).mtimeNs)
  const entries: IndexedEntry[] = []
  for (const dirent of await readdir(folder, { withFileTypes: true })) {
    const parsed = parseEntryName(dirent.name, dirent.isDirectory())
    if (parsed.kind === 'foreign') continue
    const below = [...path, dirent.name]
    const name = start + parsed.name
    if (parsed.kind === 'continued') {
      entries.push(...(await readEntries(root, name, below, changedAtNs)))
    } else {
      const isFolder = parsed.kind === 'folder'
      entries.push({ sortName: isFolder ? `${name}/` : name, isFolder, path: below })
    }
  }
  return entries
}

// A folder with continued names is read again each time: rare, and their folders change on their own.
async function isCurrent(path: string, { changedAtNs }: CachedFolder): Promise<boolean> {
  if (changedAtNs.length !== 1) return false
  try {
    return (await stat(path, { bigint: true })).mtimeNs === changedAtNs[0]
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

/** Orders by UTF-8 bytes, which differs from JavaScript's order where surrogates meet U+E000 to U+FFFF. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) return byteRank(a) - byteRank(b)
  }
  return left.length - right.length
}

function byteRank(codeUnit: number): number {
  if (codeUnit < 0xd800) return codeUnit
  return codeUnit < 0xe000 ? codeUnit + 0x2000 : codeUnit - 0x800
}
