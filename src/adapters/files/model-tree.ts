import { createHash } from 'node:crypto'
import { chmod, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectBody } from '../../ports/object-store.ts'
import { systemCodeOf } from './file-errors.ts'
import { UnfitModelData } from './model-source.ts'

const PATH_BYTES_MAX = 1024
const NAME_BYTES_MAX = 255
const DEPTH_MAX = 64

/** How much one model's data may take on the disk. */
export interface TreeLimits {
  /** Sum of all files. */
  readonly unpackedBytesMax: number
  /** Files and folders. */
  readonly entriesMax: number
  /** Called before so many bytes more are written; rejects when there is no room for them. */
  readonly admitBytes?: ((bytes: number) => Promise<void>) | undefined
}

/** One file to be added. */
export interface TreeFile {
  /** As the archive or the bucket spells it; used in refusals. */
  readonly name: string
  readonly elements: readonly string[]
  readonly isExecutable: boolean
  readonly body: ObjectBody
}

/** A finished tree. */
export interface TreeSummary {
  readonly contentHash: string
  readonly bytes: number
}

/**
 * Builds a folder from names that nobody has vetted. Only plain files and folders come to be, each name once, all of
 * them below the root.
 */
export class ModelTree {
  readonly #root: string
  readonly #limits: TreeLimits
  // Path to hash of the file, or undefined for a folder.
  readonly #hashByPath = new Map<string, string | undefined>()
  #bytes = 0

  /** @param root an empty folder of ours. */
  constructor(root: string, limits: TreeLimits) {
    this.#root = root
    this.#limits = limits
  }

  /** @throws UnfitModelData */
  async addFolder(name: string, elements: readonly string[]): Promise<void> {
    assertPath(name, elements)
    await this.#makeFolders(name, elements)
  }

  /** Streams a file into the tree. @throws UnfitModelData */
  async addFile({ name, elements, isExecutable, body }: TreeFile): Promise<void> {
    assertPath(name, elements)
    if (elements.length === 0) throw new UnfitModelData(`Entry "${name}" has no file name.`)
    await this.#makeFolders(name, elements.slice(0, -1))
    const path = elements.join('/')
    if (this.#hashByPath.has(path)) throw clash(name, this.#hashByPath.get(path) === undefined)
    this.#count(path, '')
    this.#hashByPath.set(path, await this.#write(join(this.#root, path), name, body))
    if (isExecutable) this.#hashByPath.set(path, `${this.#hashByPath.get(path)} x`)
    await chmod(join(this.#root, path), isExecutable ? 0o555 : 0o444)
  }

  /**
   * Makes everything below the root read-only and names the content: the same files give the same hash, whether they
   * came in an archive or one by one.
   */
  async seal(): Promise<TreeSummary> {
    const content = createHash('sha256')
    for (const path of [...this.#hashByPath.keys()].sort().reverse()) {
      const hash = this.#hashByPath.get(path)
      content.update(`${JSON.stringify(path)} ${hash ?? 'folder'}\n`)
      if (hash === undefined) await chmod(join(this.#root, path), 0o555)
    }
    return { contentHash: content.digest('hex'), bytes: this.#bytes }
  }

  async #makeFolders(name: string, elements: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= elements.length; depth += 1) {
      const path = elements.slice(0, depth).join('/')
      if (this.#hashByPath.get(path) !== undefined) throw clash(name, true)
      if (this.#hashByPath.has(path)) continue
      this.#count(path, undefined)
      await mkdir(join(this.#root, path), { mode: 0o700 }).catch((error: unknown) => {
        throw systemCodeOf(error) === 'EEXIST' ? clash(name, false) : error
      })
    }
  }

  #count(path: string, hash: string | undefined): void {
    this.#hashByPath.set(path, hash)
    if (this.#hashByPath.size <= this.#limits.entriesMax) return
    throw new UnfitModelData(`It holds more than ${this.#limits.entriesMax} files and folders.`)
  }

  async #write(path: string, name: string, body: ObjectBody): Promise<string> {
    // `wx`: a file system that folds case must not let one entry replace another.
    const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
      throw systemCodeOf(error) === 'EEXIST' ? clash(name, false) : error
    })
    try {
      const sha256 = createHash('sha256')
      for await (const chunk of body) {
        this.#bytes += chunk.byteLength
        if (this.#bytes > this.#limits.unpackedBytesMax) throw this.#tooLarge(name)
        await this.#limits.admitBytes?.(chunk.byteLength)
        sha256.update(chunk)
        await file.appendFile(chunk)
      }
      await file.sync()
      return sha256.digest('hex')
    } finally {
      await file.close()
    }
  }

  #tooLarge(name: string): UnfitModelData {
    const { unpackedBytesMax } = this.#limits
    return new UnfitModelData(
      `With entry "${name}" it is larger than the limit of ${unpackedBytesMax} bytes.`,
    )
  }
}

/** The elements of a name in an archive, which may begin with `./` and repeat slashes. @throws UnfitModelData */
export function parseEntryPath(name: string): readonly string[] {
  if (name.startsWith('/') || /^[A-Za-z]:[\\/]/.test(name)) {
    throw new UnfitModelData(`Entry "${name}" has an absolute path.`)
  }
  return name.split('/').filter((element) => element !== '' && element !== '.')
}

/** The elements of a key below a prefix. @throws UnfitModelData */
export function parseKeyPath(key: string): readonly string[] {
  const elements = key.split('/')
  if (elements.some((element) => element === '' || element === '.')) {
    throw new UnfitModelData(`Key "${key}" has an element that is empty or ".".`)
  }
  return elements
}

function assertPath(name: string, elements: readonly string[]): void {
  if (elements.includes('..')) {
    throw new UnfitModelData(`Entry "${name}" leaves the model directory.`)
  }
  if (name.includes('\0')) throw new UnfitModelData(`Entry "${name}" has a NUL in its name.`)
  const isLong =
    Buffer.byteLength(name) > PATH_BYTES_MAX ||
    elements.some((element) => Buffer.byteLength(element) > NAME_BYTES_MAX)
  if (isLong) throw new UnfitModelData(`Entry "${name.slice(0, 200)}…" has too long a name.`)
  if (elements.length > DEPTH_MAX) {
    throw new UnfitModelData(`Entry "${name}" lies deeper than ${DEPTH_MAX} folders.`)
  }
}

function clash(name: string, isOtherKind: boolean): UnfitModelData {
  return new UnfitModelData(
    isOtherKind
      ? `Entry "${name}" uses one name for a file and a folder.`
      : `Entry "${name}" appears twice.`,
  )
}
