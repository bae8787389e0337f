import type { Invocation, Reply } from '../image.ts'
import { Rejection } from '../rejection.ts'
import { StartFailure } from '../start-failure.ts'

/** A model as the platform names it. */
export interface ModelToLoad {
  /** The platform's name for one content of one target model. */
  readonly modelId: string
  /** Its files. */
  readonly directory: string
}

/** A model that is loaded, and where. */
export interface LoadedModel extends ModelToLoad {
  /** The frame socket that leads to it; undefined when each does. */
  readonly seat: number | undefined
}

/** A model that is loaded. */
export interface HostedModel extends Pick<LoadedModel, 'seat'> {
  invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply>
  /** Gives it back when what it runs is done. */
  close(): Promise<void>
}

/**
 * Loads one model.
 *
 * @param onLost to be called when the model turns out to be gone, through no wish of ours.
 * @throws StartFailure it cannot be served.
 */
export type LoadModel = (model: ModelToLoad, onLost: () => void) => Promise<HostedModel>

interface Entry {
  readonly directory: string
  readonly loading: Promise<HostedModel>
  hosted: HostedModel | undefined
  outstandingCount: number
  whenIdle: (() => void) | undefined
}

// What allocators of engines and of Python say.
const OUT_OF_MEMORY = /out of memory|bad.?alloc|failed to allocate|MemoryError/i

/**
 * The models of one container: what `POST/GET/DELETE /models` act on.
 *
 * `absent → loading → loaded → absent`; a load that fails leaves nothing, an unload waits for what the model runs.
 */
export class ModelRegistry {
  readonly #load: LoadModel
  readonly #entryById = new Map<string, Entry>()

  constructor(load: LoadModel) {
    this.#load = load
  }

  /** @throws Rejection 409: it is loaded, or on its way; 507: no memory for it; 400: it cannot be served. */
  async load(model: ModelToLoad): Promise<HostedModel> {
    const { modelId, directory } = model
    if (this.#entryById.has(modelId))
      throw new Rejection(409, `Model ${modelId} is loaded already.`)
    const loading = this.#load(model, () => {
      if (this.#entryById.get(modelId) === entry) this.#entryById.delete(modelId)
    })
    const entry: Entry = {
      directory,
      loading,
      hosted: undefined,
      outstandingCount: 0,
      whenIdle: undefined,
    }
    this.#entryById.set(modelId, entry)
    try {
      entry.hosted = await loading
      return entry.hosted
    } catch (error) {
      this.#entryById.delete(modelId)
      throw asRejection(error)
    }
  }

  /** The model, once a load of it that is under way has ended; undefined when it is not loaded then. */
  async findSettled(modelId: string): Promise<HostedModel | undefined> {
    return await this.#entryById.get(modelId)?.loading.catch(() => undefined)
  }

  /** Resolves when its memory has been given back. @throws Rejection 404: it is not loaded. */
  async unload(modelId: string): Promise<void> {
    const { entry, hosted } = this.#findLoaded(modelId)
    this.#entryById.delete(modelId)
    if (entry.outstandingCount > 0) await new Promise<void>((resolve) => (entry.whenIdle = resolve))
    await hosted.close()
  }

  /** Ids and folders of what is loaded, by id. */
  list(): readonly LoadedModel[] {
    return [...this.#entryById]
      .flatMap(([modelId, { directory, hosted }]) =>
        hosted === undefined ? [] : [{ modelId, directory, seat: hosted.seat }],
      )
      .toSorted((a, b) => (a.modelId < b.modelId ? -1 : 1))
  }

  /** @throws Rejection 404: it is not loaded. */
  find(modelId: string): LoadedModel {
    const { entry, hosted } = this.#findLoaded(modelId)
    return { modelId, directory: entry.directory, seat: hosted.seat }
  }

  /** @throws Rejection 404: it is not loaded; or what the model throws. */
  async invoke(modelId: string, invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    const { entry, hosted } = this.#findLoaded(modelId)
    entry.outstandingCount += 1
    try {
      return await hosted.invoke(invocation, signal)
    } finally {
      entry.outstandingCount -= 1
      if (entry.outstandingCount === 0) entry.whenIdle?.()
    }
  }

  /** Gives all back. */
  async close(): Promise<void> {
    const entries = [...this.#entryById.values()]
    this.#entryById.clear()
    await Promise.all(entries.flatMap(({ hosted }) => hosted?.close() ?? []))
  }

  #findLoaded(modelId: string): { readonly entry: Entry; readonly hosted: HostedModel } {
    const entry = this.#entryById.get(modelId)
    if (entry?.hosted === undefined) throw notLoaded(modelId)
    return { entry, hosted: entry.hosted }
  }
}

/** The answer about a model that is not there: the platform then loads it again. */
export function notLoaded(modelId: string): Rejection {
  return new Rejection(404, `Model ${modelId} is not loaded.`)
}

function asRejection(error: unknown): unknown {
  if (!(error instanceof StartFailure)) return error
  return new Rejection(OUT_OF_MEMORY.test(error.message) ? 507 : 400, error.message)
}
