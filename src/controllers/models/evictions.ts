import { formatBytes } from '../../platform/format-bytes.ts'
import { evictedEvent } from './model-decisions.ts'
import type { EvictionCause } from './model-decisions.ts'
import type { ModelInstance, InstanceModelsWorld } from './model-instance.ts'
import type { Resident, Residents } from './residents.ts'
import type { Revocations } from './revocations.ts'

// Source: data-plane reference §9.4: an unload goes on in the background for so long.
const UNLOAD_MS_MAX = 360_000
// While everything is in use there is nothing to evict: how often it is looked again.
const BUSY_POLL_MS = 50

/** A model as its container knows it. */
type ModelAtContainer = Pick<Resident, 'modelId' | 'targetModel'>

/** How memory was given back. */
export type Eviction = 'evicted' | 'freed' | 'nothing'

/** What evictions of one instance work on. */
export interface EvictionsWorld extends Pick<
  InstanceModelsWorld,
  'container' | 'tellAll' | 'recordEvent' | 'recordTime' | 'nowMs' | 'sleep'
> {
  readonly instance: ModelInstance
  readonly residents: Residents
  readonly revocations: Revocations
  /** A model of which it is being found out whether it is there. */
  readonly isDoubted: (targetModel: string) => boolean
  /** Target models, by id, that the container has been asked to load and has not answered for. */
  readonly loadingById: ReadonlyMap<string, string>
  readonly life: AbortSignal
}

/** Takes models away from one instance: only what no gateway uses, the least worth first. */
export class Evictions {
  readonly #world: EvictionsWorld
  readonly #unloadingById = new Map<string, Promise<void>>()

  #unloadCount = 0

  constructor(world: EvictionsWorld) {
    this.#world = world
  }

  /** Unloads that have ended: when it has grown, there may be room where there was none. */
  get unloadCount(): number {
    return this.#unloadCount
  }

  /** Evicts until a model of so many bytes of files fits, or nothing may be evicted. @throws the signal's reason. */
  async makeRoom(forModel: string, fileBytes: number, signal: AbortSignal): Promise<void> {
    const { instance, residents } = this.#world
    const { memoryBytesMax } = instance
    while (!residents.ledger.hasRoomFor(fileBytes, memoryBytesMax) && residents.count > 0) {
      const takenBytes = Math.round(residents.ledger.bytes)
      const why = `${formatBytes(takenBytes)} of ${formatBytes(memoryBytesMax)} are taken`
      const cause = { why, takenBytes, memoryBytesMax }
      if ((await this.evictOne(forModel, cause, signal)) === 'nothing') return
    }
  }

  /**
   * Gives back the memory of one model; waits while everything is in use, or on its way in or out.
   *
   * @returns `evicted` for this model's sake; `freed` of itself meanwhile; `nothing` when there is nothing that may be
   * evicted. @throws the signal's reason.
   */
  async evictOne(forModel: string, cause: EvictionCause, signal: AbortSignal): Promise<Eviction> {
    const unloadCount = this.#unloadCount
    for (;;) {
      const [leaving] = this.#unloadingById.values()
      const busyIds = new Set<string>()
      for (;;) {
        const victim = this.#chooseVictim(busyIds)
        if (victim === undefined) break
        if (await this.#evict(victim, forModel, cause)) return 'evicted'
        busyIds.add(victim.modelId)
        signal.throwIfAborted()
      }
      if (leaving !== undefined) {
        await leaving
        return 'freed'
      }
      if (busyIds.size === 0 && this.#world.loadingById.size === 0) {
        return (await this.#unloadStranger(signal)) ? 'evicted' : 'nothing'
      }
      await this.#world.sleep(BUSY_POLL_MS, signal)
      if (unloadCount !== this.#unloadCount) return 'freed'
    }
  }

  /** Unloads a resident now, if no gateway uses it. */
  async unloadIdle(resident: Resident): Promise<boolean> {
    const { revocations } = this.#world
    const isGranted = await revocations.revoke(resident.modelId, () => this.#takeAway(resident))
    await this.untilUnloaded(resident.modelId)
    return isGranted
  }

  /** Unloads what is no resident, when no gateway uses it any more. */
  retire(model: ModelAtContainer): void {
    this.#begin(model, () => this.#untilIdle(model.modelId))
  }

  /** Resolves when no unload of it is under way. */
  async untilUnloaded(modelId: string): Promise<void> {
    await this.#unloadingById.get(modelId)
  }

  // What a container finished to load for a control that was killed meanwhile: nobody knows of it.
  async #unloadStranger(signal: AbortSignal): Promise<boolean> {
    const { container, instance, residents, loadingById } = this.#world
    const listed = (await container.list(instance.address, signal)) ?? []
    const isKnown = (modelId: string): boolean =>
      residents.findById(modelId) !== undefined ||
      loadingById.has(modelId) ||
      this.#unloadingById.has(modelId)
    for (const { modelId } of listed) {
      if (isKnown(modelId)) continue
      const stranger = { modelId, targetModel: modelId }
      const { kind } = await container.unload(instance.address, stranger, signal)
      if (kind === 'done') return true
    }
    return false
  }

  #chooseVictim(busyIds: ReadonlySet<string>): Resident | undefined {
    const { instance, residents, isDoubted, nowMs } = this.#world
    const { pinned } = instance.settings
    const evictable = residents
      .all()
      .filter(
        ({ modelId, targetModel }) =>
          !busyIds.has(modelId) && !pinned.includes(targetModel) && !isDoubted(targetModel),
      )
    return residents.ranking.chooseVictim(evictable, nowMs())
  }

  async #evict(victim: Resident, forModel: string, cause: EvictionCause): Promise<boolean> {
    const { residents, nowMs, recordEvent } = this.#world
    const { targetModel } = victim
    const explained = residents.ranking.explain(targetModel, nowMs())
    if (!(await this.unloadIdle(victim))) return false
    residents.ranking.recordEviction(targetModel, nowMs())
    recordEvent(evictedEvent(victim, forModel, cause, explained))
    return true
  }

  #takeAway(resident: Resident): void {
    const { residents, tellAll } = this.#world
    const { instanceId, targetModel, modelId } = resident
    residents.remove(resident)
    tellAll({ kind: 'model-gone', instanceId, targetModel, modelId })
    this.#begin(resident, () => Promise.resolve())
  }

  #begin(model: ModelAtContainer, untilFree: () => Promise<void>): void {
    const { modelId, targetModel } = model
    const { container, instance, life, nowMs, recordTime } = this.#world
    const unload = async (): Promise<void> => {
      await untilFree()
      if (life.aborted) return
      const startedAtMs = nowMs()
      const signal = AbortSignal.any([life, AbortSignal.timeout(UNLOAD_MS_MAX)])
      await container.unload(instance.address, { modelId, targetModel }, signal)
      recordTime('unloading', nowMs() - startedAtMs)
    }
    const unloading = unload().finally(() => {
      this.#unloadCount += 1
      this.#unloadingById.delete(modelId)
    })
    this.#unloadingById.set(modelId, unloading)
  }

  async #untilIdle(modelId: string): Promise<void> {
    const { revocations, sleep, nowMs, life } = this.#world
    const giveUpAtMs = nowMs() + UNLOAD_MS_MAX
    while (!life.aborted && nowMs() < giveUpAtMs) {
      if (await revocations.revoke(modelId, () => undefined)) return
      await sleep(BUSY_POLL_MS, life).catch(() => undefined)
    }
  }
}
