import { randomUUID } from 'node:crypto'
import { chmod, mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { measureDiskBytes } from './disk-usage.ts'
import { isAbsent } from './file-errors.ts'
import { KeyLock } from './key-lock.ts'
import { syncFolder } from './layout.ts'
import type { TreeSummary } from './model-tree.ts'

const RECORD_SUFFIX = '.json'
const OPTIMISED_SUFFIX = '.optimised-'

/** One unpacked model on the disk, complete when this record is there. */
interface FolderRecord extends TreeSummary {
  /** Versions of objects that are known to give this content. */
  readonly sources: readonly string[]
}

/*
 * <models>/<content hash>/       the files, read-only
 * <models>/<content hash>.json   its record, written last: without it the folder is a crash's leftover
 * <models>/<content hash>.optimised-…  what `modelserver/compile` made of it; goes when its model goes
 * <models>/.incoming/<uuid>      being unpacked or removed; emptied at start
 */
export class ModelFolders {
  readonly #root: string
  readonly #recordByHash = new Map<string, FolderRecord>()
  readonly #hashBySource = new Map<string, string>()
  readonly #usedAtMsByHash = new Map<string, number>()
  /** When it was last given to somebody who does not tell when its use ends. */
  readonly #lentAtMsByHash = new Map<string, number>()
  readonly #lock = new KeyLock()
  #loading: Promise<void> | undefined

  constructor(root: string) {
    this.#root = root
  }

  /** Sweeps and reads the records, the first time it is called. */
  load(): Promise<void> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      // The next caller tries again: the disk may have been full.
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  pathOf(contentHash: string): string {
    return join(this.#root, contentHash)
  }

  /** An empty folder to unpack into. */
  async makeIncoming(): Promise<string> {
    const path = join(this.#root, '.incoming', randomUUID())
    await mkdir(path, { mode: 0o700 })
    return path
  }

  /** The content that this source is known to give; marks it as used. */
  async find(source: string, nowMs: number): Promise<TreeSummary | undefined> {
    const hash = this.#hashBySource.get(source)
    if (hash === undefined) return undefined
    return this.#lock.run(hash, async () => {
      const record = this.#recordByHash.get(hash)
      if (record !== undefined) this.#usedAtMsByHash.set(hash, nowMs)
      return record
    })
  }

  /** Puts a sealed folder in its place, or drops it when the same content is there. */
  async install(
    incoming: string,
    summary: TreeSummary,
    source: string,
    nowMs: number,
  ): Promise<void> {
    const { contentHash } = summary
    await this.#lock.run(contentHash, async () => {
      const known = this.#recordByHash.get(contentHash)
      if (known === undefined) {
        await rename(incoming, this.pathOf(contentHash))
        // Not before: moving a folder takes the right to write to it.
        await chmod(this.pathOf(contentHash), 0o555)
      } else {
        await removeTree(incoming)
      }
      await this.#saveRecord({ ...summary, sources: [...(known?.sources ?? []), source] })
      this.#usedAtMsByHash.set(contentHash, nowMs)
    })
  }

  /** Keeps the folder for somebody who has asked for it. @returns false when it has been removed meanwhile. */
  lend(hash: string, nowMs: number): Promise<boolean> {
    return this.#lock.run(hash, () => {
      const isThere = this.#recordByHash.has(hash)
      if (isThere) this.#lentAtMsByHash.set(hash, nowMs)
      return Promise.resolve(isThere)
    })
  }

  hashes(): readonly string[] {
    return [...this.#recordByHash.keys()]
  }

  /** What the folder and its record take of the disk. */
  async measureBytes(hash: string): Promise<number> {
    const path = this.pathOf(hash)
    return (await measureDiskBytes(path)) + (await measureDiskBytes(path + RECORD_SUFFIX))
  }

  /** Removes the folder, unless it was lent since. @returns whether it is gone. */
  remove(hash: string, lentSinceMs: number): Promise<boolean> {
    return this.#lock.run(hash, async () => {
      if ((this.#lentAtMsByHash.get(hash) ?? -Infinity) >= lentSinceMs) return false
      await this.#remove(hash)
      return true
    })
  }

  /** Removes what is neither in use nor was used since. @returns the hashes that were removed. */
  async removeUnused(
    hashesInUse: ReadonlySet<string>,
    usedSinceMs: number,
  ): Promise<readonly string[]> {
    const removed: string[] = []
    for (const hash of this.#recordByHash.keys()) {
      if (hashesInUse.has(hash)) continue
      await this.#lock.run(hash, async () => {
        if ((this.#usedAtMsByHash.get(hash) ?? -Infinity) >= usedSinceMs) return
        await this.#remove(hash)
        removed.push(hash)
      })
    }
    return removed
  }

  async #load(): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    await removeTree(join(this.#root, '.incoming'))
    await mkdir(join(this.#root, '.incoming'), { mode: 0o700 })
    const names = new Set(await readdir(this.#root))
    for (const name of names) {
      const [, hash, suffix = ''] = /^([0-9a-f]{64})(\.json|\.optimised-.+)?$/.exec(name) ?? []
      if (hash === undefined) continue
      const isComplete = names.has(hash) && names.has(hash + RECORD_SUFFIX)
      if (!isComplete) await removeTree(join(this.#root, name))
      else if (!suffix.startsWith(OPTIMISED_SUFFIX)) await this.#loadRecord(hash)
    }
  }

  async #loadRecord(hash: string): Promise<void> {
    const text = await readFile(this.pathOf(hash) + RECORD_SUFFIX, 'utf8')
    // Moved into place whole, so it is what we wrote.
    this.#remember(JSON.parse(text) as FolderRecord)
  }

  #remember(record: FolderRecord): void {
    this.#recordByHash.set(record.contentHash, record)
    for (const source of record.sources) this.#hashBySource.set(source, record.contentHash)
  }

  async #saveRecord(record: FolderRecord): Promise<void> {
    const incoming = join(this.#root, '.incoming', randomUUID())
    const file = await open(incoming, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify(record) + '\n')
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(incoming, this.pathOf(record.contentHash) + RECORD_SUFFIX)
    await syncFolder(this.#root)
    this.#remember(record)
  }

  async #remove(hash: string): Promise<void> {
    for (const source of this.#recordByHash.get(hash)?.sources ?? []) {
      this.#hashBySource.delete(source)
    }
    this.#recordByHash.delete(hash)
    this.#usedAtMsByHash.delete(hash)
    this.#lentAtMsByHash.delete(hash)
    await rm(this.pathOf(hash) + RECORD_SUFFIX, { force: true })
    await removeTree(this.pathOf(hash))
    const optimised = (await readdir(this.#root)).filter((name) =>
      name.startsWith(hash + OPTIMISED_SUFFIX),
    )
    for (const name of optimised) await removeTree(join(this.#root, name))
  }
}

/** Removes a folder whose folders may be read-only. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true })
    return
  } catch (error) {
    if (isAbsent(error)) return
  }
  await makeWritable(path)
  await rm(path, { recursive: true, force: true })
}

async function makeWritable(path: string): Promise<void> {
  await chmod(path, 0o700)
  for (const dirent of await readdir(path, { withFileTypes: true })) {
    if (dirent.isDirectory()) await makeWritable(join(path, dirent.name))
  }
}
