import type { ContainerAnswer, ContainerModel } from '../../ports/model-container.ts'
import type { Evictions } from './evictions.ts'
import { loadFailure } from './load-failure.ts'
import type { InstanceModelsWorld, ModelInstance } from './model-instance.ts'

// A load that finds the container full tries again with one model less, at most so often.
const EVICTIONS_PER_LOAD_MAX = 64
// A container that does not answer has ended, as a rule: within this time the runtime says so, and the load ends with it.
const END_NOTICED_MS = 1_000

/** What loads of one instance work on. */
export interface ModelLoaderWorld extends Pick<
  InstanceModelsWorld,
  'container' | 'nowMs' | 'sleep' | 'recordTime'
> {
  readonly instance: ModelInstance
  readonly evictions: Evictions
  /** Target models, by id, that the container has been asked to load and has not answered for: kept by the loader. */
  readonly loadingById: Map<string, string>
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
  /** Target models for whose load no answer came. */
  readonly #cut = new Set<string>()

  constructor(world: ModelLoaderWorld) {
    this.#world = world
  }

  /** Target models whose loads are under way, or were when the container stopped answering. */
  underWay(): readonly string[] {
    return [...new Set([...this.#world.loadingById.values(), ...this.#cut])]
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
        this.#cut.delete(model.targetModel)
        return { kind: answer.kind, seat: answer.seat, loadMs }
      }
      if (answer.kind === 'unreachable') {
        this.#cut.add(model.targetModel)
        await this.#world.sleep(END_NOTICED_MS, signal)
      }
      const failure = loadFailure(model.targetModel, answer)
      if (answer.kind !== 'full' || evictedCount >= EVICTIONS_PER_LOAD_MAX) throw failure
      // There may be room by now.
      if (unloadCount !== evictions.unloadCount) continue
      // Source: data-plane reference §9.4: 507 → evict one idle model and try again.
      const cause = { why: 'the container has no room' }
      const eviction = await evictions.evictOne(model.targetModel, cause, signal)
      if (eviction === 'nothing') throw failure
      if (eviction === 'evicted') evictedCount += 1
    }
  }

  async #ask(model: ContainerModel, signal: AbortSignal): Promise<ContainerAnswer> {
    const { container, instance, loadingById } = this.#world
    loadingById.set(model.modelId, model.targetModel)
    try {
      return await container.load(instance.address, model, signal)
    } finally {
      // Whatever came of it: evictions wait for what is on its way.
      loadingById.delete(model.modelId)
    }
  }
}
