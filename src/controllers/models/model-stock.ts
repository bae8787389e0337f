import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ModelFiles } from '../../ports/model-disk.ts'
import { DiskRoom } from './disk-room.ts'
import type { DiskRoomOptions, FilesNeed, HeldFiles } from './disk-room.ts'

/**
 * The models of multi-model endpoints that are on the disk, by where they came from.
 *
 * What is there is used without asking the store, as SageMaker does: a model that was deleted or replaced goes on until it
 * is fetched again.
 */
export class ModelStock {
  readonly #room: DiskRoom
  readonly #filesByUrl = new Map<string, ModelFiles>()

  constructor(options: DiskRoomOptions) {
    this.#room = new DiskRoom({
      ...options,
      onRemoved: (contentHash, inputs) => {
        this.discard(contentHash)
        options.onRemoved(contentHash, inputs)
      },
    })
  }

  /** Counts what an earlier life left. */
  start(): Promise<void> {
    return this.#room.start()
  }

  /** Files that must stay where they are. */
  contentHashes(): readonly string[] {
    return this.#room.contentHashes()
  }

  /** Keeps files that something loaded still uses, until the use ends. */
  async keepUntil(contentHash: string, ended: Promise<void>): Promise<void> {
    await this.#room.keepUntil(contentHash, ended)
  }

  /** Models that are loaded from these files were used so often. */
  recordUse(contentHash: string, count: number): void {
    this.#room.recordUse(contentHash, count)
  }

  /**
   * The files of a model, to be held while it is loaded.
   *
   * @param contentHash what is wanted; where others have come since, the files are those that the store has now.
   * @throws BerthError `ValidationError`: there is no such object; `ModelError`: it is no model archive;
   * `ServiceUnavailable`: no room on the disk.
   */
  async fetch(
    prefixUrl: string,
    targetModel: string,
    need: FilesNeed,
    contentHash?: string,
  ): Promise<HeldFiles> {
    const known = this.#filesByUrl.get(prefixUrl + targetModel)
    if (known !== undefined && (contentHash ?? known.contentHash) === known.contentHash) {
      const held = this.#room.hold(known)
      if (held !== undefined) return held
    }
    return await this.refetch(prefixUrl, targetModel, need)
  }

  /** The files as the store has them now. Throws as {@link ModelStock.fetch} does. */
  async refetch(prefixUrl: string, targetModel: string, need: FilesNeed): Promise<HeldFiles> {
    const url = prefixUrl + targetModel
    try {
      const held = await this.#room.fetch(url, need)
      const { directory, contentHash, bytes } = held
      this.#filesByUrl.set(url, { directory, contentHash, bytes })
      return held
    } catch (error) {
      throw asInvocationError(error, url, targetModel)
    }
  }

  /** The next load of a model that failed asks the store again: by then it may have been mended there. */
  forget(prefixUrl: string, targetModel: string): void {
    this.#filesByUrl.delete(prefixUrl + targetModel)
  }

  /** The next load of these files asks the store again. */
  discard(contentHash: string): void {
    for (const [url, files] of this.#filesByUrl) {
      if (files.contentHash === contentHash) this.#filesByUrl.delete(url)
    }
  }
}

// Source: data-plane reference §9.2 for the sentence about what is missing.
function asInvocationError(error: unknown, url: string, targetModel: string): unknown {
  if (!isBerthError(error) || error.code !== 'ValidationException') return error
  if (!error.message.startsWith('Failed to download')) {
    return new BerthError('ModelError', `Model ${targetModel} cannot be used: ${error.message}`, {
      members: { OriginalStatusCode: 400, OriginalMessage: error.message },
    })
  }
  const [, bucket = '', key = ''] = /^(?:s3:\/\/|https?:\/\/[^/]+\/)([^/]+)\/(.*)$/s.exec(url) ?? []
  const what = `Failed to download model data(bucket: ${bucket}, key: ${key}).`
  const advice =
    'Please ensure that there is an object located at the URL and that the role passed to CreateModel has permissions to download the model.'
  return new BerthError('ValidationError', `${what} ${advice}`)
}
