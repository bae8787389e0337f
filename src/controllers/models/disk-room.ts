import { DiskLedger } from '../../domain/multi-model/disk-ledger.ts'
import type { ModelDisk, ModelFiles } from '../../ports/model-disk.ts'
import { formatBytes } from '../../platform/format-bytes.ts'
import { NoRoom } from './load-failure.ts'

/** Files that stay on the disk until this is disposed of. */
export interface HeldFiles extends ModelFiles, Disposable {}

/** What a room takes from its surroundings. */
export interface DiskRoomOptions {
  readonly disk: ModelDisk
  readonly bytesMax: number
  /** Contents that models are loaded from just now, on any instance. */
  readonly contentHashesLoaded: () => ReadonlySet<string>
  readonly onRemoved: (
    contentHash: string,
    inputs: Readonly<Record<string, number | string>>,
  ) => void
  readonly nowMs: () => number
}

/** Who needs files. */
export interface FilesNeed {
  readonly signal: AbortSignal
  /** Unloads one model, so that its files may go; returns whether there was one. Called when nothing else is left. */
  readonly freeOne?: () => Promise<boolean>
}

/** One set of files on its way. */
interface Incoming {
  bytes: number
  isOver: boolean
  /** What was removed meanwhile: it may be what the disk believed to have. */
  readonly removedHashes: Set<string>
}

/**
 * The bounded part of the disk that models are loaded from.
 *
 * Room is made before bytes are written, so the bound holds while archives of unknown size are unpacked: the files worth
 * least go, never those that a loaded model or a load uses.
 */
export class DiskRoom {
  readonly #options: DiskRoomOptions
  readonly #ledger: DiskLedger
  readonly #holdCountByHash = new Map<string, number>()
  readonly #incoming = new Set<Incoming>()
  /** Fetched in this life, as opposed to what an earlier one left. */
  readonly #fetchedHashes = new Set<string>()
  #removal: { readonly contentHash: string; readonly done: Promise<boolean> } | undefined

  constructor(options: DiskRoomOptions) {
    this.#options = options
    this.#ledger = new DiskLedger(options.bytesMax)
  }

  /** What was fetched and is there. */
  contentHashes(): readonly string[] {
    return [...this.#fetchedHashes, ...this.#holdCountByHash.keys()]
  }

  /** What an earlier life left counts, and goes first. */
  async start(): Promise<void> {
    const nowMs = this.#options.nowMs()
    for (const { contentHash, bytes } of await this.#options.disk.listUnused()) {
      if (this.#fetchedHashes.has(contentHash)) continue
      this.#ledger.recordFiles(contentHash, { bytes, fetchMs: 0 }, nowMs)
    }
  }

  recordUse(contentHash: string, count: number): void {
    this.#ledger.recordUse(contentHash, count, this.#options.nowMs())
  }

  /** Holds files that were prepared before; `undefined` when they are being removed. */
  hold(files: ModelFiles): HeldFiles | undefined {
    const { contentHash } = files
    if (this.#removal?.contentHash === contentHash) return undefined
    this.recordUse(contentHash, 1)
    return { ...files, [Symbol.dispose]: this.#keep(contentHash) }
  }

  /** Keeps files that something loaded still uses, until the use ends. */
  async keepUntil(contentHash: string, ended: Promise<void>): Promise<void> {
    const release = this.#keep(contentHash)
    await ended.then(release, release)
  }

  /** @returns what lets them go. */
  #keep(contentHash: string): () => void {
    this.#holdCountByHash.set(contentHash, (this.#holdCountByHash.get(contentHash) ?? 0) + 1)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      const left = (this.#holdCountByHash.get(contentHash) ?? 1) - 1
      if (left === 0) this.#holdCountByHash.delete(contentHash)
      else this.#holdCountByHash.set(contentHash, left)
    }
  }

  /**
   * Has the files of an archive on the disk, as the store has them now.
   *
   * @throws NoRoom nothing that is there may go. @throws what {@link ModelDisk.prepare} throws.
   */
  async fetch(url: string, need: FilesNeed): Promise<HeldFiles> {
    for (;;) {
      const incoming: Incoming = { bytes: 0, isOver: false, removedHashes: new Set() }
      this.#incoming.add(incoming)
      try {
        const held = await this.#fetchOnce(url, incoming, need)
        if (held !== undefined) return held
      } finally {
        this.#end(incoming)
      }
    }
  }

  /** @returns undefined when what was there has been removed since. */
  async #fetchOnce(
    url: string,
    incoming: Incoming,
    need: FilesNeed,
  ): Promise<HeldFiles | undefined> {
    const { disk, nowMs } = this.#options
    const startedAtMs = nowMs()
    const admitBytes = (bytes: number): Promise<void> => this.#admit(bytes, incoming, need)
    const files = await disk.prepare({ kind: 'archive', url }, { signal: need.signal, admitBytes })
    const { contentHash } = files
    const held = incoming.removedHashes.has(contentHash) ? undefined : this.hold(files)
    if (held === undefined || this.#fetchedHashes.has(contentHash)) return held
    try {
      const fetchMs = nowMs() - startedAtMs
      const bytes = await disk.measureBytes(contentHash)
      this.#end(incoming)
      this.#ledger.recordFiles(contentHash, { bytes, fetchMs }, nowMs())
      this.#fetchedHashes.add(contentHash)
      this.recordUse(contentHash, 1)
      await this.#trim()
      return held
    } catch (error) {
      held[Symbol.dispose]()
      throw error
    }
  }

  // Folders take more than the bytes in their files, and files that were there may not have counted.
  async #trim(): Promise<void> {
    while (!this.#ledger.hasRoomFor(0) && (await this.#removeOne()));
  }

  // Its bytes are counted as files from now on, or not at all.
  #end(incoming: Incoming): void {
    if (incoming.isOver) return
    incoming.isOver = true
    this.#incoming.delete(incoming)
    this.#ledger.recordIncoming(-incoming.bytes)
  }

  async #admit(bytes: number, incoming: Incoming, { signal, freeOne }: FilesNeed): Promise<void> {
    while (!this.#ledger.hasRoomFor(bytes)) {
      signal.throwIfAborted()
      if (await this.#removeOne()) continue
      if ((await freeOne?.()) !== true) throw noRoom(this.#options.bytesMax)
    }
    // Others go on unpacking what the first to ask has left: they measure it.
    if (incoming.isOver) return
    incoming.bytes += bytes
    this.#ledger.recordIncoming(bytes)
  }

  /** One at a time: who comes meanwhile waits for it and looks again. */
  async #removeOne(): Promise<boolean> {
    if (this.#removal !== undefined) {
      await this.#removal.done
      return true
    }
    const { contentHashesLoaded, nowMs } = this.#options
    const loaded = contentHashesLoaded()
    const refused = new Set<string>()
    for (;;) {
      const isHeld = (hash: string): boolean =>
        refused.has(hash) || loaded.has(hash) || this.#holdCountByHash.has(hash)
      const contentHash = this.#ledger.chooseVictim(isHeld, nowMs())
      if (contentHash === undefined) return false
      const done = this.#remove(contentHash).finally(() => (this.#removal = undefined))
      this.#removal = { contentHash, done }
      if (await done) return true
      refused.add(contentHash)
    }
  }

  async #remove(contentHash: string): Promise<boolean> {
    const { disk, nowMs, onRemoved } = this.#options
    for (const incoming of this.#incoming) incoming.removedHashes.add(contentHash)
    if (!(await disk.remove(contentHash))) return false
    const inputs = this.#ledger.explain(contentHash, nowMs())
    this.#ledger.recordRemoval(contentHash, nowMs())
    this.#fetchedHashes.delete(contentHash)
    onRemoved(contentHash, inputs)
    return true
  }
}

function noRoom(bytesMax: number): NoRoom {
  const what = `The files of models may take ${formatBytes(bytesMax)} of the disk (BERTH_MODEL_DISK_BYTES)`
  return new NoRoom(`${what}, and what is there is in use: there is no room for another model.`)
}
