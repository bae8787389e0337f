import { MemoryLedger } from '../../domain/multi-model/memory-ledger.ts'
import type { LoadedModel } from '../../domain/multi-model/model-messages.ts'
import { ModelRanking } from '../../domain/multi-model/model-ranking.ts'
import type { EvictionPolicy } from '../../domain/multi-model/settings.ts'

/** A model that is loaded on an instance. */
export interface Resident extends LoadedModel {
  /** The target model, as rankings name it. */
  readonly model: string
}

/** The models that are loaded on one instance, what they take, and what keeping them is worth. */
export class Residents {
  readonly ranking: ModelRanking
  readonly ledger = new MemoryLedger()
  readonly #residentByTarget = new Map<string, Resident>()
  readonly #nowMs: () => number

  constructor(policy: EvictionPolicy, nowMs: () => number) {
    this.ranking = new ModelRanking(policy)
    this.#nowMs = nowMs
  }

  get count(): number {
    return this.#residentByTarget.size
  }

  all(): readonly Resident[] {
    return [...this.#residentByTarget.values()]
  }

  find(targetModel: string): Resident | undefined {
    return this.#residentByTarget.get(targetModel)
  }

  findById(modelId: string): Resident | undefined {
    return this.all().find((resident) => resident.modelId === modelId)
  }

  /** @returns the earlier content of the target model, which is no resident any more. */
  add(model: LoadedModel): Resident | undefined {
    const { targetModel, fileBytes, loadMs } = model
    const replaced = this.#residentByTarget.get(targetModel)
    if (replaced !== undefined) this.remove(replaced)
    this.#residentByTarget.set(targetModel, { ...model, model: targetModel })
    this.ledger.add(targetModel, fileBytes)
    const nowMs = this.#nowMs()
    this.ranking.recordUse(targetModel, 0, nowMs)
    const bytes = this.ledger.bytesOf(targetModel)
    this.ranking.recordCost(targetModel, { bytes, reloadMs: loadMs }, nowMs)
    return replaced
  }

  /** The whole instance was measured: what came since the last time is known to be worth so much memory. */
  recordMeasurement(bytes: number): void {
    const nowMs = this.#nowMs()
    for (const model of this.ledger.recordMeasurement(bytes)) {
      const cost = { bytes: this.ledger.bytesOf(model), reloadMs: this.ranking.reloadMsOf(model) }
      this.ranking.recordCost(model, cost, nowMs)
    }
  }

  /** The same model, found to be at another worker. */
  recordSeat(resident: Resident, seat: number | undefined): Resident {
    const { seat: _before, ...rest } = resident
    const moved = { ...rest, ...(seat !== undefined && { seat }) }
    this.#residentByTarget.set(resident.targetModel, moved)
    return moved
  }

  remove(resident: Resident): void {
    const { targetModel } = resident
    if (this.#residentByTarget.get(targetModel)?.modelId !== resident.modelId) return
    this.#residentByTarget.delete(targetModel)
    this.ledger.remove(targetModel)
  }
}

/** What gateways are told of it. */
export function loadedOf({ model: _model, ...loaded }: Resident): LoadedModel {
  return loaded
}
