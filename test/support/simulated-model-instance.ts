import { MemoryLedger } from '../../src/domain/multi-model/memory-ledger.ts'
import { ModelRanking } from '../../src/domain/multi-model/model-ranking.ts'
import type { ModelCandidate } from '../../src/domain/multi-model/placement.ts'

/** A model as the simulation knows it. */
export interface SimulatedModel {
  readonly name: string
  readonly fileBytes: number
  /** What it takes when it is loaded, which is found out by measuring. */
  readonly memoryBytes: number
  readonly loadMs: number
}

/** What an instance is. */
export interface SimulatedShape {
  readonly policy: 'gdsf' | 'lru'
  readonly workerCount: number
  readonly serviceMs: number
  readonly memoryBytesMax: number
  readonly programBytes: number
}

interface Resident {
  readonly model: SimulatedModel
  readonly readyAtMs: number
  /** When its last invocation ends: until then it is in use. */
  busyUntilMs: number
}

/** One instance: workers, one loader, memory. What is evicted, and when, the ledger and the ranking of production say. */
export class SimulatedInstance {
  readonly instanceId: string
  readonly #shape: SimulatedShape
  readonly #ranking: ModelRanking
  readonly #ledger = new MemoryLedger()
  readonly #residentByName = new Map<string, Resident>()
  readonly #freeAtMs: number[]
  #loaderFreeAtMs = 0
  #bytes: number
  loadCount = 0
  evictionCount = 0
  /** The most that program and models really took. */
  peakBytes = 0

  constructor(instanceId: string, shape: SimulatedShape) {
    this.instanceId = instanceId
    this.#shape = shape
    this.#ranking = new ModelRanking(shape.policy)
    this.#freeAtMs = Array.from({ length: shape.workerCount }, () => 0)
    this.#bytes = shape.programBytes
    this.#ledger.recordMeasurement(this.#bytes)
  }

  asCandidate({ name, loadMs }: SimulatedModel, nowMs: number): ModelCandidate {
    const resident = this.#residentByName.get(name)
    const waitMs = Math.max(0, Math.min(...this.#freeAtMs) - nowMs)
    const loaderMs =
      resident === undefined
        ? Math.max(0, this.#loaderFreeAtMs - nowMs)
        : Math.max(0, resident.readyAtMs - nowMs - loadMs)
    return {
      instanceId: this.instanceId,
      serviceMs: waitMs + this.#shape.serviceMs,
      aloneMs: this.#shape.serviceMs,
      aheadCount: Math.round(waitMs / this.#shape.serviceMs),
      presence:
        resident === undefined ? 'absent' : resident.readyAtMs > nowMs ? 'loading' : 'loaded',
      loaderMs,
    }
  }

  /** @returns how long the invocation takes. */
  serve(model: SimulatedModel, nowMs: number): number {
    const { serviceMs } = this.#shape
    this.#ranking.recordUse(model.name, 1, nowMs)
    const resident = this.#residentByName.get(model.name) ?? this.#load(model, nowMs)
    const worker = this.#freeAtMs.indexOf(Math.min(...this.#freeAtMs))
    const freeAtMs = Math.max(nowMs, this.#freeAtMs[worker] ?? 0)
    // A worker is not held by a request that waits for its model: it serves others meanwhile.
    this.#freeAtMs[worker] = freeAtMs + serviceMs
    const endsAtMs = Math.max(freeAtMs, resident.readyAtMs) + serviceMs
    resident.busyUntilMs = Math.max(resident.busyUntilMs, endsAtMs)
    return endsAtMs - nowMs
  }

  /** Loads the model beside what it serves, if that displaces nothing. */
  copy(model: SimulatedModel, nowMs: number): void {
    const { memoryBytesMax } = this.#shape
    if (this.#ledger.hasRoomFor(model.fileBytes, memoryBytesMax)) this.#load(model, nowMs)
  }

  forgetCounts(): void {
    this.loadCount = 0
    this.evictionCount = 0
  }

  #load(model: SimulatedModel, nowMs: number): Resident {
    this.#makeRoom(model, nowMs)
    const readyAtMs = Math.max(nowMs, this.#loaderFreeAtMs) + model.loadMs
    this.#loaderFreeAtMs = readyAtMs
    const resident = { model, readyAtMs, busyUntilMs: readyAtMs }
    this.#residentByName.set(model.name, resident)
    this.#ledger.add(model.name, model.fileBytes)
    this.#bytes += model.memoryBytes
    this.#ledger.recordMeasurement(this.#bytes)
    const bytes = this.#ledger.bytesOf(model.name)
    this.#ranking.recordCost(model.name, { bytes, reloadMs: model.loadMs }, nowMs)
    this.loadCount += 1
    this.peakBytes = Math.max(this.peakBytes, this.#bytes)
    return resident
  }

  #makeRoom({ fileBytes }: SimulatedModel, nowMs: number): void {
    while (!this.#ledger.hasRoomFor(fileBytes, this.#shape.memoryBytesMax)) {
      const victim = this.#ranking.chooseVictim(this.#evictable(nowMs), nowMs)
      if (victim === undefined) return
      this.#ranking.recordEviction(victim.model, nowMs)
      this.#residentByName.delete(victim.model)
      this.#ledger.remove(victim.model)
      this.#bytes -= victim.memoryBytes
      this.evictionCount += 1
    }
  }

  *#evictable(nowMs: number): Iterable<{ readonly model: string; readonly memoryBytes: number }> {
    for (const { model, busyUntilMs } of this.#residentByName.values()) {
      if (busyUntilMs <= nowMs) yield { model: model.name, memoryBytes: model.memoryBytes }
    }
  }
}
