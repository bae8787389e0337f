import { BerthError, isBerthError } from '../../domain/errors.ts'
import type { ModelDataSource } from '../../domain/model.ts'

/** The files of a model on the disk, shared and read-only. */
export interface ModelFiles {
  readonly directory: string
  readonly contentHash: string
  readonly bytes: number
}

/** Makes a model's files available on the disk. */
export type PrepareModel = (source: ModelDataSource, signal: AbortSignal) => Promise<ModelFiles>

/**
 * The models of multi-model endpoints that are on the disk, by where they came from.
 *
 * What is there is used without asking the store, as SageMaker does: a model that was deleted or replaced goes on until it
 * is fetched again.
 */
export class ModelStock {
  readonly #prepare: PrepareModel
  readonly #filesByUrl = new Map<string, ModelFiles>()

  constructor(prepare: PrepareModel) {
    this.#prepare = prepare
  }

  /** Files that must stay where they are. */
  contentHashes(): readonly string[] {
    return [...this.#filesByUrl.values()].map(({ contentHash }) => contentHash)
  }

  /**
   * @param contentHash what the files must be, where others may have come since.
   * @throws BerthError `ValidationError`: there is no such object; `ModelError`: it is no model archive.
   */
  async fetch(
    prefixUrl: string,
    targetModel: string,
    signal: AbortSignal,
    contentHash?: string,
  ): Promise<ModelFiles> {
    const known = this.#filesByUrl.get(prefixUrl + targetModel)
    if (known !== undefined && (contentHash ?? known.contentHash) === known.contentHash) {
      return known
    }
    return await this.refetch(prefixUrl, targetModel, signal)
  }

  /** The files as the store has them now. Throws as {@link ModelStock.fetch} does. */
  async refetch(prefixUrl: string, targetModel: string, signal: AbortSignal): Promise<ModelFiles> {
    const url = prefixUrl + targetModel
    try {
      const files = await this.#prepare({ kind: 'archive', url }, signal)
      this.#filesByUrl.set(url, files)
      return files
    } catch (error) {
      throw asInvocationError(error, url, targetModel)
    }
  }

  /** Nothing needs the files any more. */
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
