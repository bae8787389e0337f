import type { ContainerAnswer, ContainerModel } from '../../ports/model-container.ts'
import type { Evictions } from './evictions.ts'
import { loadFailure } from './load-failure.ts'
import type { InstanceModelsWorld, ModelInstance } from './model-instance.ts'

// A load that finds the container full tries again with one model less, at most so often.
const EVICTIONS_PER_LOAD_MAX = 64

/** What loads of one instance work on. */
export interface ModelLoaderWorld extends Pick<
  InstanceModelsWorld,
  'container' | 'nowMs' | 'recordTime'
> {
  readonly instance: ModelInstance
  readonly evictions: Evictions
  /** Ids of models that the container has been asked to load and has not answered for: kept by the loader. */
  readonly loadingIds: Set<string>
}

/** How a container came to have a model. */
export interface ModelLoad {
  /** `present`: it had it before it was asked. */
  readonly kind: 'done' | 'present'
  readonly seat: number | undefined
  /** Of the container's call alone. */
  readonly loadMs: number
}

/** Has the container of one instance load models, with others unloaded where it has no room. */
export class ModelLoader {
  readonly #world: ModelLoaderWorld

  constructor(world: ModelLoaderWorld) {
    this.#world = world
  }

  /** @throws BerthError what the container said. @throws the signal's reason. */
  async load(model: ContainerModel, signal: AbortSignal): Promise<ModelLoad> {
    const { nowMs, evictions, recordTime } = this.#world
    let evictedCount = 0
    for (;;) {
      const { unloadCount } = evictions
      const startedAtMs = nowMs()
      const answer = await this.#ask(model, signal)
      const loadMs = nowMs() - startedAtMs
      if (answer.kind === 'done' || answer.kind === 'present') {
        if (answer.kind === 'done') recordTime('loading', loadMs)
        return { kind: answer.kind, seat: answer.seat, loadMs }
      }
      const failure = loadFailure(model.targetModel, answer)
      if (answer.kind !== 'full' || evictedCount >= EVICTIONS_PER_LOAD_MAX) throw failure
      // There may be room by now.
      if (unloadCount !== evictions.unloadCount) continue
      // Source: data-plane reference §9.4: 507 → evict one idle model and try again.
      const why = 'the container has no room'
      const eviction = await evictions.evictOne(model.targetModel, why, signal)
      if (eviction === 'nothing') throw failure
      if (eviction === 'evicted') evictedCount += 1
    }
  }

  async #ask(model: ContainerModel, signal: AbortSignal): Promise<ContainerAnswer> {
    const { container, instance, loadingIds } = this.#world
    loadingIds.add(model.modelId)
    try {
      return await container.load(instance.address, model, signal)
    } finally {
      // Whatever came of it: evictions wait for what is on its way.
      loadingIds.delete(model.modelId)
    }
  }
}
