import { BerthError } from '../../domain/errors.ts'
import type {
  LoadedModel,
  ModelAsk,
  ModelBoard,
  ModelNews,
} from '../../domain/multi-model/model-messages.ts'
import { CutModels } from './cut-models.ts'
import type { ModelHome } from './model-home.ts'
import { ModelWants } from './model-wants.ts'
import type { ModelPlace, ModelWait } from './model-wants.ts'

type Revoked = Extract<ModelNews, { kind: 'model-revoked' }>

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
  /** Not to be used any more, but something of this gateway still does: control is told so when it asks. */
  readonly #leaving = new Set<ModelHome>()
  readonly #boardByInstance = new Map<string, ModelBoard>()
  readonly #wants: ModelWants
  readonly #cut: CutModels
  /** Since the last {@link ModelDirectory.takeUses}. */
  #usesByInstance = new Map<string, Map<string, number>>()

  constructor(options: ModelDirectoryOptions) {
    this.#options = options
    this.#cut = new CutModels(options.nowMs)
    this.#wants = new ModelWants({
      ...options,
      beginUse: (home) => this.beginUse(home),
      endUse: (home, isCaching) => this.endUse(home, isCaching),
    })
  }

  find(instanceId: string, targetModel: string): ModelHome | undefined {
    return this.#homesByInstance.get(instanceId)?.get(targetModel)
  }

  isWanted(instanceId: string, targetModel: string): boolean {
    return this.#wants.has(instanceId, targetModel)
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
   */
  want(place: ModelPlace, doubtedModelId?: string): ModelWait {
    return this.#wants.add(place, doubtedModelId)
  }

  /** Has control look whether the store has a newer one; the loaded one answers meanwhile. */
  revalidate(place: ModelPlace, home: ModelHome): void {
    home.confirmedAtMs = this.#options.nowMs()
    this.#options.ask({ kind: 'model-wanted', ...place, isRevalidation: true })
  }

  /** Has control load a copy of a model that is loaded elsewhere, if there is room: nobody waits for it. */
  askForCopy(place: ModelPlace): void {
    this.#options.ask({ kind: 'model-wanted', ...place, isCopy: true })
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
    if (home.inUseCount > 0) return
    if (this.#leaving.size > 0) this.#leaving.delete(home)
    if (isCaching) return
    const { instanceId, modelId } = home
    this.#remove(home)
    this.#options.ask({ kind: 'model-done', instanceId, modelId })
  }

  /** The connection to the container broke beneath an invocation of the model. */
  recordCut(home: ModelHome): void {
    this.#cut.record(home)
  }

  /** Uses since the last call, by instance and target model; undefined when there were none. */
  takeUses(): Readonly<Record<string, Readonly<Record<string, number>>>> | undefined {
    if (this.#usesByInstance.size === 0) return undefined
    const taken = this.#usesByInstance
    this.#usesByInstance = new Map()
    return Object.fromEntries([...taken].map(([id, uses]) => [id, Object.fromEntries(uses)]))
  }

  /** To be called every now and then: an ask that was lost with a connection is said again. */
  remind(): void {
    this.#wants.remind()
  }

  /** An instance has left the routes. */
  forget(instanceId: string): void {
    for (const home of this.#homesByInstance.get(instanceId)?.values() ?? []) this.#remove(home)
    this.#homesByInstance.delete(instanceId)
    this.#boardByInstance.delete(instanceId)
    this.#usesByInstance.delete(instanceId)
    this.#wants.forget(instanceId)
  }

  /** Takes over what control says. */
  apply(news: ModelNews): void {
    switch (news.kind) {
      case 'models-asked':
        this.#options.ask({ kind: 'models-held', models: this.#held() })
        this.#wants.askAgain()
        break
      case 'models':
        this.#replace(news.instanceId, news.models)
        break
      case 'model-loaded':
        this.#add(news)
        break
      case 'model-failed': {
        const { code, message, members } = news.failure
        const error = new BerthError(code, message, members === undefined ? {} : { members })
        this.#wants.fail(news.instanceId, news.targetModel, error)
        break
      }
      case 'model-gone': {
        const home = this.find(news.instanceId, news.targetModel)
        if (home?.modelId === news.modelId) this.#remove(home)
        break
      }
      case 'model-revoked':
        this.#release(news)
        break
      case 'model-board':
        this.#boardByInstance.set(news.instanceId, news)
        break
      case 'models-ended':
        this.#tellCut(news.instanceId)
        break
    }
  }

  #held(): readonly LoadedModel[] {
    const homes = [...this.#homesByInstance.values()].flatMap((byTarget) => [...byTarget.values()])
    return homes.map(
      ({
        inUseCount: _uses,
        outstandingCount: _outstanding,
        answeredCount: _answered,
        confirmedAtMs: _atMs,
        ...model
      }) => model,
    )
  }

  #tellCut(instanceId: string): void {
    const homes = this.#homesByInstance.get(instanceId)?.values() ?? []
    const models = this.#cut.take(instanceId, [...homes, ...this.#leaving])
    this.#options.ask({ kind: 'models-cut', instanceId, models })
  }

  #replace(instanceId: string, models: readonly LoadedModel[]): void {
    const kept = new Set(models.map(({ modelId }) => modelId))
    for (const home of this.#homesByInstance.get(instanceId)?.values() ?? []) {
      if (!kept.has(home.modelId)) this.#remove(home)
    }
    for (const model of models) this.#add(model)
    this.#wants.askAgain(instanceId)
  }

  #add({ wasPresent = false, ...model }: LoadedModel): void {
    const { instanceId, targetModel } = model
    const known = this.find(instanceId, targetModel)
    const confirmedAtMs = this.#options.nowMs()
    const isSame = known?.modelId === model.modelId && known.seat === model.seat
    // The same object while it is the same model: what uses it is counted there.
    const counts = { inUseCount: 0, outstandingCount: 0, answeredCount: 0 }
    const home = isSame ? known : { ...model, ...counts, confirmedAtMs }
    home.confirmedAtMs = confirmedAtMs
    if (known !== undefined && !isSame) this.#remove(known)
    const homes = this.#homesByInstance.get(instanceId) ?? new Map<string, ModelHome>()
    this.#homesByInstance.set(instanceId, homes.set(targetModel, home))
    this.#wants.answer(home, wasPresent)
  }

  #release({ instanceId, modelId, revocationId }: Revoked): void {
    const homes = this.#homesByInstance.get(instanceId)?.values() ?? []
    const isOne = (home: ModelHome): boolean =>
      home.modelId === modelId && home.instanceId === instanceId
    const home = [...homes].find(isOne)
    const isIdle = (home?.inUseCount ?? 0) === 0 && ![...this.#leaving].some(isOne)
    if (home !== undefined && isIdle) this.#remove(home)
    this.#options.ask({ kind: 'model-released', instanceId, modelId, revocationId, isIdle })
  }

  #remove(home: ModelHome): void {
    const homes = this.#homesByInstance.get(home.instanceId)
    if (homes?.get(home.targetModel) === home) homes.delete(home.targetModel)
    if (home.inUseCount > 0) this.#leaving.add(home)
  }
}
