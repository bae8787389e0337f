import { BerthError } from '../../domain/errors.ts'
import type {
  LoadedModel,
  ModelAsk,
  ModelBoard,
  ModelFailure,
  ModelNews,
} from '../../domain/multi-model/model-messages.ts'

/** A model that is loaded on an instance, and how much of this gateway's work is there. */
export interface ModelHome extends LoadedModel {
  /** Invocations that are forwarded to it or wait for it. */
  inUseCount: number
  /** When control last said that it is what the store has. */
  confirmedAtMs: number
}

/** Which model on which instance. */
export interface ModelPlace {
  readonly endpointName: string
  readonly variantName: string
  readonly instanceId: string
  readonly targetModel: string
}

interface Want {
  readonly place: ModelPlace
  readonly doubtedModelId: string | undefined
  readonly promise: Promise<ModelHome>
  readonly resolve: (home: ModelHome) => void
  readonly reject: (error: Error) => void
}

/** What the directory takes from its surroundings. */
export interface ModelDirectoryOptions {
  /** Tells control; may be lost while control is away. */
  readonly ask: (ask: ModelAsk) => void
  readonly nowMs: () => number
}

/**
 * Which model of a multi-model endpoint is loaded where, as control says; and what was asked of control and not answered.
 *
 * A look-up leaves the process never. While control is away everything known stays usable.
 */
export class ModelDirectory {
  readonly #options: ModelDirectoryOptions
  readonly #homesByInstance = new Map<string, Map<string, ModelHome>>()
  readonly #boardByInstance = new Map<string, ModelBoard>()
  readonly #wantByPlace = new Map<string, Want>()
  /** Since the last {@link ModelDirectory.takeUses}. */
  #usesByInstance = new Map<string, Map<string, number>>()

  constructor(options: ModelDirectoryOptions) {
    this.#options = options
  }

  find(instanceId: string, targetModel: string): ModelHome | undefined {
    return this.#homesByInstance.get(instanceId)?.get(targetModel)
  }

  isWanted(instanceId: string, targetModel: string): boolean {
    return this.#wantByPlace.size > 0 && this.#wantByPlace.has(keyOf(instanceId, targetModel))
  }

  boardOf(instanceId: string): ModelBoard | undefined {
    return this.#boardByInstance.get(instanceId)
  }

  /** What a load of the model took where it is loaded, if it is anywhere among these. */
  loadMsOf(targetModel: string, instanceIds: Iterable<string>): number | undefined {
    for (const instanceId of instanceIds) {
      const home = this.find(instanceId, targetModel)
      if (home !== undefined) return home.loadMs
    }
    return undefined
  }

  /**
   * Asks for a model; everybody who asks while it is loaded shares the answer.
   *
   * @param doubtedModelId what the container said it does not have, though it was loaded.
   * @throws BerthError what kept it from being loaded.
   */
  want(place: ModelPlace, doubtedModelId?: string): Promise<ModelHome> {
    const key = keyOf(place.instanceId, place.targetModel)
    const pending = this.#wantByPlace.get(key)
    if (pending !== undefined) return pending.promise
    const { promise, resolve, reject } = Promise.withResolvers<ModelHome>()
    // Whoever waited may have left.
    promise.catch(() => undefined)
    const want = { place, doubtedModelId, promise, resolve, reject }
    this.#wantByPlace.set(key, want)
    this.#ask(want)
    return promise
  }

  /** Has control look whether the store has a newer one; the loaded one answers meanwhile. */
  revalidate(place: ModelPlace, home: ModelHome): void {
    home.confirmedAtMs = this.#options.nowMs()
    this.#options.ask({ kind: 'model-wanted', ...place, isRevalidation: true })
  }

  /** An invocation begins to use it, or to wait for it: it is not let go until {@link ModelDirectory.endUse}. */
  beginUse(home: ModelHome): void {
    home.inUseCount += 1
    let uses = this.#usesByInstance.get(home.instanceId)
    if (uses === undefined) {
      uses = new Map()
      this.#usesByInstance.set(home.instanceId, uses)
    }
    uses.set(home.targetModel, (uses.get(home.targetModel) ?? 0) + 1)
  }

  /** @param isCaching whether it stays loaded when nothing uses it. */
  endUse(home: ModelHome, isCaching: boolean): void {
    home.inUseCount -= 1
    if (isCaching || home.inUseCount > 0) return
    const { instanceId, modelId } = home
    this.#remove(home)
    this.#options.ask({ kind: 'model-done', instanceId, modelId })
  }

  /** Uses since the last call, by instance and target model; undefined when there were none. */
  takeUses(): Readonly<Record<string, Readonly<Record<string, number>>>> | undefined {
    if (this.#usesByInstance.size === 0) return undefined
    const taken = this.#usesByInstance
    this.#usesByInstance = new Map()
    return Object.fromEntries([...taken].map(([id, uses]) => [id, Object.fromEntries(uses)]))
  }

  /** A connection to control stands: what was asked before it is asked again. */
  askAgain(): void {
    for (const want of this.#wantByPlace.values()) this.#ask(want)
  }

  /** An instance has left the routes. */
  forget(instanceId: string): void {
    this.#homesByInstance.delete(instanceId)
    this.#boardByInstance.delete(instanceId)
    this.#usesByInstance.delete(instanceId)
    for (const [key, want] of this.#wantByPlace) {
      if (want.place.instanceId !== instanceId) continue
      this.#wantByPlace.delete(key)
      want.reject(new InstanceLeft())
    }
  }

  /** Takes over what control says. */
  apply(news: ModelNews): void {
    switch (news.kind) {
      case 'models':
        this.#replace(news.instanceId, news.models)
        break
      case 'model-loaded':
        this.#add(news)
        break
      case 'model-failed':
        this.#fail(news.instanceId, news.targetModel, news.failure)
        break
      case 'model-gone': {
        const home = this.find(news.instanceId, news.targetModel)
        if (home?.modelId === news.modelId) this.#remove(home)
        break
      }
      case 'model-revoked':
        this.#release(news.instanceId, news.modelId)
        break
      case 'model-board':
        this.#boardByInstance.set(news.instanceId, news)
        break
    }
  }

  #ask({ place, doubtedModelId }: Want): void {
    const doubt = doubtedModelId === undefined ? {} : { doubtedModelId }
    this.#options.ask({ kind: 'model-wanted', ...place, ...doubt })
  }

  #replace(instanceId: string, models: readonly LoadedModel[]): void {
    const before = this.#homesByInstance.get(instanceId)
    this.#homesByInstance.set(instanceId, new Map())
    for (const model of models) this.#add(model, before?.get(model.targetModel))
  }

  #add(
    model: LoadedModel,
    known: ModelHome | undefined = this.find(model.instanceId, model.targetModel),
  ): void {
    const confirmedAtMs = this.#options.nowMs()
    const isSame = known?.modelId === model.modelId && known.seat === model.seat
    // The same object while it is the same model: what uses it is counted there.
    const home = isSame ? known : { ...model, inUseCount: 0, confirmedAtMs }
    home.confirmedAtMs = confirmedAtMs
    const homes = this.#homesByInstance.get(model.instanceId) ?? new Map<string, ModelHome>()
    this.#homesByInstance.set(model.instanceId, homes.set(model.targetModel, home))
    const key = keyOf(model.instanceId, model.targetModel)
    const want = this.#wantByPlace.get(key)
    this.#wantByPlace.delete(key)
    if (want?.doubtedModelId === undefined || model.wasPresent !== true) want?.resolve(home)
    else want.reject(new ModelPresent())
  }

  #fail(instanceId: string, targetModel: string, failure: ModelFailure): void {
    const key = keyOf(instanceId, targetModel)
    const want = this.#wantByPlace.get(key)
    this.#wantByPlace.delete(key)
    const { code, message, members } = failure
    want?.reject(new BerthError(code, message, members === undefined ? {} : { members }))
  }

  #release(instanceId: string, modelId: string): void {
    const homes = this.#homesByInstance.get(instanceId)?.values() ?? []
    const home = [...homes].find((candidate) => candidate.modelId === modelId)
    const isIdle = home === undefined || home.inUseCount === 0
    if (home !== undefined && isIdle) this.#remove(home)
    this.#options.ask({ kind: 'model-released', instanceId, modelId, isIdle })
  }

  #remove(home: ModelHome): void {
    const homes = this.#homesByInstance.get(home.instanceId)
    if (homes?.get(home.targetModel) === home) homes.delete(home.targetModel)
  }
}

/** The instance that was to load a model has left the routes: another one may. */
export class InstanceLeft extends Error {}

/** The container has had the model all the time: what it answered is the model's own answer. */
export class ModelPresent extends Error {}

function keyOf(instanceId: string, targetModel: string): string {
  return `${instanceId}\0${targetModel}`
}
