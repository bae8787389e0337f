import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isAbsent, noSuchBucket, systemCodeOf } from './file-errors.ts'
import { assertBucketName } from './key-path.ts'
import type { NameFolding } from './key-path.ts'

/*
 * <root>/berth-objects.json       how names are encoded here
 * <root>/.incoming/<uuid>         files being written, folders being deleted; emptied at start
 * <root>/.uploads/<bucket>/<id>/  uploads in parts
 * <root>/<bucket>/%bucket         when it was made
 * <root>/<bucket>/…%object        see key-path.ts
 */
const FORMAT_FILE = 'berth-objects.json'
const FORMAT_VERSION = 1
// How often a folder may vanish under a writer (its last object deleted) before we call it a bug.
const PLACE_ATTEMPTS_MAX = 20

/** Where things lie under the root, and the few steps on it that must be safe against a crash. */
export class Layout {
  readonly root: string
  readonly folding: NameFolding

  private constructor(root: string, folding: NameFolding) {
    this.root = root
    this.folding = folding
  }

  /** Makes the root if need be and removes what a crash left half-written. */
  static async open(root: string): Promise<Layout> {
    await mkdir(join(root, '.uploads'), { recursive: true, mode: 0o700 })
    await rm(join(root, '.incoming'), { recursive: true, force: true })
    await mkdir(join(root, '.incoming'), { mode: 0o700 })
    return new Layout(root, await loadFolding(root))
  }

  /** A path that nothing uses, on the same file system as every object. */
  incomingPath(): string {
    return join(this.root, '.incoming', randomUUID())
  }

  /** @throws BerthError `InvalidBucketName` */
  bucketPath(bucketName: string): string {
    assertBucketName(bucketName)
    return join(this.root, bucketName)
  }

  uploadsPath(bucketName: string): string {
    return join(this.root, '.uploads', bucketName)
  }

  /**
   * Moves a finished file to its place and waits until the disk knows.
   *
   * Makes the folders between bucket and file, but never the bucket: it may have been deleted meanwhile.
   */
  async place(incoming: string, bucketName: string, elements: readonly string[]): Promise<void> {
    const bucket = this.bucketPath(bucketName)
    const path = join(bucket, ...elements)
    for (let attempt = 1; ; attempt += 1) {
      try {
        await rename(incoming, path)
        break
      } catch (error) {
        if (systemCodeOf(error) !== 'ENOENT' || attempt === PLACE_ATTEMPTS_MAX) throw error
      }
      await makeFolders(bucket, elements.slice(0, -1), bucketName)
    }
    await syncFolder(dirname(path))
  }

  /** Removes the folders that an object's deletion left empty. */
  async prune(bucketName: string, folders: readonly string[]): Promise<void> {
    const bucket = this.bucketPath(bucketName)
    for (let depth = folders.length; depth > 0; depth -= 1) {
      try {
        await rmdir(join(bucket, ...folders.slice(0, depth)))
      } catch (error) {
        // Not empty (Linux and macOS differ in the code), or gone: both end the climb.
        const code = systemCodeOf(error)
        if (code === 'ENOTEMPTY' || code === 'EEXIST' || isAbsent(error)) return
        throw error
      }
    }
  }
}

/** Waits until the names in a folder are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function makeFolders(
  bucket: string,
  folders: readonly string[],
  bucketName: string,
): Promise<void> {
  if (folders.length === 0) await assertFolder(bucket, bucketName)
  let path = bucket
  for (const folder of folders) {
    const parent = path
    path = join(path, folder)
    try {
      await mkdir(path, { mode: 0o700 })
      await syncFolder(parent)
    } catch (error) {
      const code = systemCodeOf(error)
      if (code === 'EEXIST') continue
      // A parent vanished: the bucket, or a folder that the caller's next attempt makes again.
      if (code !== 'ENOENT') throw error
      await assertFolder(bucket, bucketName)
      return
    }
  }
}

async function assertFolder(bucket: string, bucketName: string): Promise<void> {
  try {
    await stat(bucket)
  } catch (error) {
    throw isAbsent(error) ? noSuchBucket(bucketName) : error
  }
}

/** Decided once per root, from the file system it lies on: a later copy elsewhere keeps the names readable. */
async function loadFolding(root: string): Promise<NameFolding> {
  const path = join(root, FORMAT_FILE)
  try {
    const format: unknown = JSON.parse(await readFile(path, 'utf8'))
    return foldingOf(format, path)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
  const folding = await observeFolding(root)
  const incoming = join(root, '.incoming', FORMAT_FILE)
  await writeFile(incoming, JSON.stringify({ version: FORMAT_VERSION, names: folding }) + '\n')
  await rename(incoming, path)
  await syncFolder(root)
  return folding
}

function foldingOf(format: unknown, path: string): NameFolding {
  if (typeof format === 'object' && format !== null && 'version' in format && 'names' in format) {
    const { version, names } = format
    if (version === FORMAT_VERSION && (names === 'exact' || names === 'folded')) return names
  }
  throw new Error(`${path} is not of a version that this Berth reads.`)
}

async function observeFolding(root: string): Promise<NameFolding> {
  const probe = join(root, '.incoming', 'probe')
  await writeFile(probe, '')
  try {
    await stat(join(root, '.incoming', 'PROBE'))
    return 'folded'
  } catch (error) {
    if (isAbsent(error)) return 'exact'
    throw error
  } finally {
    await rm(probe, { force: true })
  }
}
