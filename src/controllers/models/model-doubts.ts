import type { ModelFiles } from '../../ports/model-disk.ts'
import type { Evictions } from './evictions.ts'
import { errorOf, failureOf } from './load-failure.ts'
import { lostEvent } from './model-decisions.ts'
import type { InstanceModelsWorld, ModelInstance } from './model-instance.ts'
import type { ModelLoad, ModelLoader } from './model-loader.ts'
import { loadedOf } from './residents.ts'
import type { Resident, Residents } from './residents.ts'
import type { Revocations } from './revocations.ts'

/** What doubts about the models of one instance work on. */
export interface ModelDoubtsWorld extends Pick<
  InstanceModelsWorld,
  'stock' | 'heldBack' | 'tell' | 'tellAll' | 'recordEvent' | 'nowMs'
> {
  readonly instance: ModelInstance
  readonly residents: Residents
  readonly revocations: Revocations
  readonly evictions: Evictions
  readonly loader: ModelLoader
  /** Loads other content of a target model, from files that are here. */
  readonly replace: (targetModel: string, files: ModelFiles) => Promise<void>
  readonly life: AbortSignal
}

/**
 * Finds out, when a container says that it does not have a model which was loaded, whether it has lost it: has it loaded again. If
 * that load finds it there, what the container said was the model's own answer.
 */
export class ModelDoubts {
  readonly #world: ModelDoubtsWorld
  readonly #targets = new Set<string>()

  constructor(world: ModelDoubtsWorld) {
    this.#world = world
  }

  /** Whether it is being found out about a model: it is not to be unloaded meanwhile. */
  has(targetModel: string): boolean {
    return this.#targets.has(targetModel)
  }

  /** Tells gateways where the model is, or that it is gone. One who doubts while it is being found out shares the answer. */
  async resolve(gatewayId: string, resident: Resident): Promise<void> {
    const { targetModel, instanceId, modelId } = resident
    const { residents, revocations, tell, tellAll, recordEvent, life } = this.#world
    if (this.#targets.has(targetModel)) return
    this.#targets.add(targetModel)
    revocations.refuse(modelId)
    try {
      const answer = await this.#reload(resident)
      if (answer === undefined) return
      this.#throwIfHeldBack(resident)
      if (answer.kind === 'done') {
        const found = residents.recordSeat(resident, answer.seat)
        tellAll({ kind: 'model-loaded', ...loadedOf(found) })
        recordEvent(lostEvent(found))
      } else {
        tell(gatewayId, { kind: 'model-loaded', ...loadedOf(resident), wasPresent: true })
      }
    } catch (error) {
      if (life.aborted) return
      residents.remove(resident)
      tellAll({ kind: 'model-gone', instanceId, targetModel, modelId })
      const failure = failureOf(error, targetModel)
      tell(gatewayId, { kind: 'model-failed', instanceId, targetModel, failure })
    } finally {
      this.#targets.delete(targetModel)
    }
  }

  /** @returns undefined when other content is there by now, and was loaded as the model that it is. */
  async #reload(resident: Resident): Promise<ModelLoad | undefined> {
    const { targetModel, modelId, contentHash } = resident
    const { stock, instance, loader, replace, life: signal } = this.#world
    using files = await stock.fetch(instance.prefixUrl, targetModel, { signal }, contentHash)
    if (files.contentHash !== contentHash) {
      await replace(targetModel, files)
      return undefined
    }
    return await loader.load({ modelId, targetModel, directory: files.directory }, signal)
  }

  // Processes of other instances may have ended beneath it meanwhile.
  #throwIfHeldBack(resident: Resident): void {
    const { heldBack, evictions, nowMs } = this.#world
    const held = heldBack.find(resident.targetModel, nowMs())
    if (held === undefined) return
    evictions.retire(resident)
    throw errorOf(held.reason)
  }
}
