import { ModelRanking } from './model-ranking.ts'

/** Files of models that are on the disk. */
export interface FilesOnDisk {
  /** What they take of it, measured. */
  readonly bytes: number
  /** What fetching them took, and would again. */
  readonly fetchMs: number
}

/**
 * What the files of models take of the disk, and which of them should go when there is no room.
 *
 * Files are known by the hash of their content: one folder, however many target models name it. Worth is what
 * {@link ModelRanking} says of uses, time to fetch and bytes; what is used or loaded just now is the caller's to know.
 */
export class DiskLedger {
  readonly #bytesMax: number
  readonly #ranking = new ModelRanking('gdsf')
  readonly #bytesByHash = new Map<string, number>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** All that is there, what is being unpacked included. */
  get bytes(): number {
    return this.#bytes
  }

  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= this.#bytesMax
  }

  /** So much more, or less, is being unpacked. */
  recordIncoming(bytes: number): void {
    this.#bytes += bytes
  }

  /** The files are there. Replaces what was known of them. */
  recordFiles(contentHash: string, { bytes, fetchMs }: FilesOnDisk, nowMs: number): void {
    this.#bytes += bytes - (this.#bytesByHash.get(contentHash) ?? 0)
    this.#bytesByHash.set(contentHash, bytes)
    this.#ranking.recordCost(contentHash, { bytes, reloadMs: fetchMs }, nowMs)
  }

  /** A model was loaded from the files, or one that is loaded from them was used, so often. */
  recordUse(contentHash: string, count: number, nowMs: number): void {
    if (this.#bytesByHash.has(contentHash)) this.#ranking.recordUse(contentHash, count, nowMs)
  }

  recordRemoval(contentHash: string, nowMs: number): void {
    const bytes = this.#bytesByHash.get(contentHash)
    if (bytes === undefined) return
    this.#ranking.recordEviction(contentHash, nowMs)
    this.#bytesByHash.delete(contentHash)
    this.#bytes -= bytes
  }

  /** What is to be removed first, or `undefined` when nothing may be. */
  chooseVictim(isHeld: (contentHash: string) => boolean, nowMs: number): string | undefined {
    return this.#ranking.chooseVictim(this.#removable(isHeld), nowMs)?.model
  }

  /** Why files were chosen, for the log. */
  explain(contentHash: string, nowMs: number): Readonly<Record<string, number | string>> {
    return this.#ranking.explain(contentHash, nowMs)
  }

  *#removable(isHeld: (contentHash: string) => boolean): Iterable<{ readonly model: string }> {
    for (const model of this.#bytesByHash.keys()) if (!isHeld(model)) yield { model }
  }
}
