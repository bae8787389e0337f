import { isBerthError } from '../../domain/errors.ts'
import type { InstanceAddress } from '../../domain/fleet.ts'
import { MemoryLedger } from '../../domain/multi-model/memory-ledger.ts'
import type {
  LoadedModel,
  ModelFailure,
  ModelNews,
} from '../../domain/multi-model/model-messages.ts'
import { ModelRanking } from '../../domain/multi-model/model-ranking.ts'
import { Quarantine } from '../../domain/multi-model/quarantine.ts'
import type { ModelSettings } from '../../domain/multi-model/settings.ts'
import type {
  ContainerAnswer,
  ContainerModel,
  ModelContainer,
} from '../../ports/model-container.ts'
import { errorOf, failureOf, loadFailure } from './load-failure.ts'
import { LoadLine } from './load-line.ts'
import { modelIdOf } from './model-id.ts'
import type { ModelFiles, ModelStock } from './model-stock.ts'
import { Revocations } from './revocations.ts'

// Source: data-plane reference §9.4: download and load go on in the background for so long; so does an unload.
const LOAD_MS_MAX = 360_000
// While everything is in use there is nothing to evict: how often it is looked again.
const BUSY_POLL_MS = 50
// A load that finds the container full tries again with one model less, at most so often.
const EVICTIONS_PER_LOAD_MAX = 64
const LOAD_MS_START = 20
const LOAD_WEIGHT = 0.2

/** Which instance it is, and how its models are run. */
export interface ModelInstance {
  readonly endpointName: string
  readonly variantName: string
  readonly instanceId: string
  readonly pid: number | undefined
  readonly address: InstanceAddress
  readonly prefixUrl: string
  readonly isCaching: boolean
  readonly settings: ModelSettings
  /** What its models and program may take. */
  readonly memoryBytesMax: number
  readonly loadsMax: number
}

/** What was decided about a model, for the endpoint's events. */
export interface ModelEvent {
  readonly kind: 'model-loaded' | 'model-evicted' | 'model-quarantined' | 'model-replaced'
  readonly reason: string
  readonly inputs: Readonly<Record<string, string | number | undefined>>
}

/** What the models of an instance take from their surroundings. */
export interface InstanceModelsWorld {
  readonly container: ModelContainer
  readonly stock: ModelStock
  readonly measureBytes: (pid: number) => Promise<number | undefined>
  readonly connectedGatewayIds: () => readonly string[]
  readonly tell: (gatewayId: string, news: ModelNews) => void
  readonly tellAll: (news: ModelNews) => void
  readonly recordEvent: (event: ModelEvent) => void
  readonly nowMs: () => number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A model that is loaded on the instance. */
interface Resident extends LoadedModel {
  readonly model: string
  readonly contentHash: string
}

/**
 * The models of one instance: the only place that loads and unloads there.
 *
 * A load is shared by everybody who asks for the model; a bounded number runs at a time; what is evicted for it is the least
 * worth of what no gateway uses. `absent → loading → loaded → (revoked) → absent`.
 */
export class InstanceModels {
  readonly instance: ModelInstance
  readonly #world: InstanceModelsWorld
  readonly #residentByTarget = new Map<string, Resident>()
  readonly #loadingByTarget = new Map<string, Promise<Resident>>()
  readonly #ranking: ModelRanking
  readonly #ledger = new MemoryLedger()
  readonly #quarantine = new Quarantine<ModelFailure>()
  readonly #line: LoadLine
  readonly #revocations: Revocations
  readonly #life = new AbortController()
  #loadMs = LOAD_MS_START

  constructor(instance: ModelInstance, world: InstanceModelsWorld) {
    this.instance = instance
    this.#world = world
    this.#ranking = new ModelRanking(instance.settings.eviction)
    this.#line = new LoadLine(instance.loadsMax)
    this.#revocations = new Revocations(instance.instanceId, world)
  }

  /** What is loaded, with why it stays. */
  list(): readonly (LoadedModel & { readonly memoryBytes: number; readonly uses: number })[] {
    const nowMs = this.#world.nowMs()
    return [...this.#residentByTarget.values()].map((resident) => ({
      ...loadedOf(resident),
      memoryBytes: Math.round(this.#ledger.bytesOf(resident.targetModel)),
      uses: Math.round(this.#ranking.usesOf(resident.targetModel, nowMs) * 100) / 100,
    }))
  }

  /** What cannot be loaded now, and why. */
  quarantined(): readonly {
    readonly targetModel: string
    readonly reason: string
    readonly untilMs: number
  }[] {
    return this.#quarantine.list(this.#world.nowMs()).map(({ model, reason, backOff }) => ({
      targetModel: model,
      reason: reason.message,
      untilMs: backOff.notBeforeMs,
    }))
  }

  /** Files that must stay where they are. */
  contentHashes(): readonly string[] {
    return [...this.#residentByTarget.values()].map(({ contentHash }) => contentHash)
  }

  /** Unloads what an earlier control left at the container, whose target models nobody knows; then loads the lists. */
  async start(): Promise<void> {
    const { address, settings } = this.instance
    const { signal } = this.#life
    const left = (await this.#world.container.list(address, signal)) ?? []
    for (const modelId of left) {
      if (this.#findById(modelId) !== undefined) continue
      await this.#world.container.unload(address, { modelId, targetModel: modelId }, signal)
    }
    await this.#measure()
    for (const targetModel of [...settings.pinned, ...settings.preloaded]) {
      void this.#want(targetModel).catch(() => undefined)
    }
  }

  /** Tells a gateway that knows nothing yet what is loaded. */
  welcome(gatewayId: string): void {
    const { instanceId } = this.instance
    const models = [...this.#residentByTarget.values()].map(loadedOf)
    this.#world.tell(gatewayId, { kind: 'models', instanceId, models })
  }

  /** A gateway's invocation waits for a model. It is told when it is there, or why it cannot be. */
  async want(
    gatewayId: string,
    ask: {
      readonly targetModel: string
      readonly doubtedModelId?: string
      readonly isRevalidation?: boolean
    },
  ): Promise<void> {
    const { targetModel, doubtedModelId, isRevalidation = false } = ask
    const { instanceId } = this.instance
    try {
      const resident = this.#residentByTarget.get(targetModel)
      if (isRevalidation) return await this.#revalidate(targetModel)
      if (resident !== undefined && resident.modelId === doubtedModelId) {
        return await this.#doubt(gatewayId, resident)
      }
      const loaded = resident ?? (await this.#want(targetModel))
      this.#world.tell(gatewayId, { kind: 'model-loaded', ...loadedOf(loaded) })
    } catch (error) {
      if (this.#life.signal.aborted) return
      const failure = failureOf(error, targetModel)
      this.#world.tell(gatewayId, { kind: 'model-failed', instanceId, targetModel, failure })
    }
  }

  /** Gateways used models so often since they last said so. */
  recordUses(uses: Readonly<Record<string, number>>): void {
    const nowMs = this.#world.nowMs()
    for (const [targetModel, count] of Object.entries(uses)) {
      this.#ranking.recordUse(targetModel, count, nowMs)
    }
  }

  /** A gateway's answer to a revocation. */
  recordReleased(gatewayId: string, modelId: string, isIdle: boolean): void {
    this.#revocations.recordAnswer(gatewayId, modelId, isIdle)
  }

  /** Nothing of a gateway uses a model any more that is not to stay. */
  async done(modelId: string): Promise<void> {
    const resident = this.#findById(modelId)
    if (resident === undefined || this.instance.isCaching) return
    if (!(await this.#revocations.revoke(modelId))) return
    await this.#unload(resident)
    this.#world.stock.discard(resident.contentHash)
  }

  /** The instance is gone, or not ours any more. */
  close(): void {
    this.#life.abort()
    this.#revocations.close()
  }

  #want(targetModel: string): Promise<Resident> {
    const loading = this.#loadingByTarget.get(targetModel)
    if (loading !== undefined) return loading
    const held = this.#quarantine.find(targetModel, this.#world.nowMs())
    if (held !== undefined) return Promise.reject(errorOf(held.reason))
    const work = this.#loadInTurn(targetModel).finally(() => {
      this.#loadingByTarget.delete(targetModel)
      this.#announceBoard()
    })
    this.#loadingByTarget.set(targetModel, work)
    return work
  }

  async #loadInTurn(targetModel: string): Promise<Resident> {
    this.#announceBoard()
    const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(LOAD_MS_MAX)])
    using _turn = await this.#line.enter(signal)
    try {
      const resident = await this.#load(targetModel, signal)
      this.#quarantine.recordSuccess(targetModel)
      return resident
    } catch (error) {
      if (!this.#life.signal.aborted) this.#hold(targetModel, error)
      throw error
    }
  }

  async #load(targetModel: string, signal: AbortSignal): Promise<Resident> {
    const { nowMs } = this.#world
    const startedAtMs = nowMs()
    const files = await this.#world.stock.fetch(this.instance.prefixUrl, targetModel, signal)
    const fetchMs = nowMs() - startedAtMs
    return await this.#place(targetModel, files, { fetchMs, signal })
  }

  async #place(
    targetModel: string,
    files: ModelFiles,
    { fetchMs, signal }: { readonly fetchMs: number; readonly signal: AbortSignal },
  ): Promise<Resident> {
    const { nowMs, recordEvent, tellAll } = this.#world
    const { instanceId } = this.instance
    await this.#makeRoom(targetModel, this.#ledger.predictBytes(files.bytes), signal)
    const model = {
      modelId: modelIdOf(targetModel, files.contentHash),
      targetModel,
      directory: files.directory,
    }
    const startedAtMs = nowMs()
    const answer = await this.#loadOrEvict(model, signal)
    const loadMs = nowMs() - startedAtMs
    if (answer.kind !== 'done' && answer.kind !== 'present') throw loadFailure(targetModel, answer)
    const seat = answer.kind === 'done' && answer.seat !== undefined ? { seat: answer.seat } : {}
    const { modelId } = model
    const { contentHash } = files
    const resident = {
      instanceId,
      targetModel,
      model: targetModel,
      modelId,
      ...seat,
      loadMs,
      contentHash,
    }
    const replaced = this.#residentByTarget.get(targetModel)
    this.#residentByTarget.set(targetModel, resident)
    this.#ledger.add(targetModel, files.bytes)
    this.#loadMs += LOAD_WEIGHT * (loadMs - this.#loadMs)
    this.#ranking.recordUse(targetModel, 0, nowMs())
    const bytes = this.#ledger.bytesOf(targetModel)
    this.#ranking.recordCost(targetModel, { bytes, reloadMs: loadMs }, nowMs())
    tellAll({ kind: 'model-loaded', ...loadedOf(resident) })
    const inputs = {
      instanceId,
      targetModel,
      modelId,
      fetchMs: Math.round(fetchMs),
      loadMs: Math.round(loadMs),
      bytes: files.bytes,
    }
    recordEvent({
      kind: 'model-loaded',
      reason: `Model ${targetModel} was loaded on instance ${instanceId}.`,
      inputs,
    })
    if (replaced !== undefined && replaced.modelId !== modelId) void this.#retire(replaced)
    void this.#measure()
    return resident
  }

  // Source: data-plane reference §9.4: 507 → evict one idle model and try again.
  async #loadOrEvict(model: ContainerModel, signal: AbortSignal): Promise<ContainerAnswer> {
    const { address } = this.instance
    for (let count = 0; ; count += 1) {
      const answer = await this.#world.container.load(address, model, signal)
      if (answer.kind !== 'full' || count >= EVICTIONS_PER_LOAD_MAX) return answer
      const isEvicted = await this.#evictOne(model.targetModel, 'the container has no room', signal)
      if (!isEvicted) return answer
    }
  }

  async #makeRoom(targetModel: string, bytes: number, signal: AbortSignal): Promise<void> {
    const { memoryBytesMax } = this.instance
    while (this.#ledger.bytes + bytes > memoryBytesMax && this.#residentByTarget.size > 0) {
      const why = `${Math.round(this.#ledger.bytes)} of ${memoryBytesMax} bytes are taken`
      if (!(await this.#evictOne(targetModel, why, signal))) return
    }
  }

  /** @returns false when nothing may be evicted at all; waits while everything is in use. */
  async #evictOne(forModel: string, why: string, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const busy = new Set<string>()
      for (;;) {
        const nowMs = this.#world.nowMs()
        const evictable = [...this.#residentByTarget.values()].filter(
          ({ model }) => !busy.has(model) && !this.instance.settings.pinned.includes(model),
        )
        const victim = this.#ranking.chooseVictim(evictable, nowMs)
        if (victim === undefined) break
        if (await this.#revocations.revoke(victim.modelId)) {
          const explained = this.#ranking.explain(victim.model, nowMs)
          this.#ranking.recordEviction(victim.model, nowMs)
          await this.#unload(victim)
          const reason = `Model ${victim.model} was unloaded for ${forModel}: ${why}.`
          const inputs = {
            instanceId: victim.instanceId,
            targetModel: victim.model,
            forModel,
            ...explained,
          }
          this.#world.recordEvent({ kind: 'model-evicted', reason, inputs })
          return true
        }
        busy.add(victim.model)
      }
      if (busy.size === 0) return false
      await this.#world.sleep(BUSY_POLL_MS, signal)
    }
  }

  async #unload(resident: Resident): Promise<void> {
    const { targetModel, modelId, instanceId } = resident
    if (this.#residentByTarget.get(targetModel) === resident) {
      this.#residentByTarget.delete(targetModel)
      this.#ledger.remove(targetModel)
    }
    this.#world.tellAll({ kind: 'model-gone', instanceId, targetModel, modelId })
    const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(LOAD_MS_MAX)])
    await this.#world.container.unload(this.instance.address, { modelId, targetModel }, signal)
  }

  // The earlier content of a target model: gateways know the new one and use the old one only for what is under way.
  async #retire(replaced: Resident): Promise<void> {
    const { targetModel, instanceId } = replaced
    const reason = `Model ${targetModel} was replaced in the store; instance ${instanceId} has the new one.`
    this.#world.recordEvent({ kind: 'model-replaced', reason, inputs: { instanceId, targetModel } })
    await this.#unload(replaced)
  }

  // The container says that it does not have what was loaded. If a load finds it there, it spoke for the model.
  async #doubt(gatewayId: string, resident: Resident): Promise<void> {
    const { targetModel, modelId } = resident
    const files = await this.#world.stock.fetch(
      this.instance.prefixUrl,
      targetModel,
      this.#life.signal,
      resident.contentHash,
    )
    const model = { modelId, targetModel, directory: files.directory }
    const answer = await this.#loadOrEvict(model, this.#life.signal)
    if (answer.kind !== 'present' && answer.kind !== 'done') throw loadFailure(targetModel, answer)
    const news = { kind: 'model-loaded', ...loadedOf(resident) } as const
    const seat = answer.kind === 'done' && answer.seat !== undefined ? { seat: answer.seat } : {}
    if (answer.kind === 'present') this.#world.tell(gatewayId, { ...news, wasPresent: true })
    else {
      this.#residentByTarget.set(targetModel, { ...resident, ...seat })
      this.#world.tellAll({ ...news, ...seat })
    }
  }

  async #revalidate(targetModel: string): Promise<void> {
    const resident = this.#residentByTarget.get(targetModel)
    if (resident === undefined || this.#loadingByTarget.has(targetModel)) return
    const files = await this.#world.stock
      .refetch(this.instance.prefixUrl, targetModel, this.#life.signal)
      .catch(() => undefined)
    if (files === undefined || files.contentHash === resident.contentHash) return
    const { signal } = this.#life
    const work = this.#place(targetModel, files, { fetchMs: 0, signal }).finally(() => {
      this.#loadingByTarget.delete(targetModel)
    })
    this.#loadingByTarget.set(targetModel, work)
    await work.catch((error: unknown) => this.#hold(targetModel, error))
  }

  #hold(targetModel: string, error: unknown): void {
    const isMissing = isBerthError(error) && error.code === 'ValidationError'
    const failure = failureOf(error, targetModel)
    const held = this.#quarantine.recordFailure(
      targetModel,
      { kind: isMissing ? 'missing' : 'broken', reason: failure },
      this.#world.nowMs(),
    )
    if (isMissing) return
    const waitMs = Math.round(held.backOff.notBeforeMs - held.backOff.failedAtMs)
    const { instanceId } = this.instance
    const reason = `Model ${targetModel} cannot be loaded and is left alone for ${waitMs / 1000} s: ${failure.message}`
    const inputs = { instanceId, targetModel, failureCount: held.backOff.failureCount, waitMs }
    this.#world.recordEvent({ kind: 'model-quarantined', reason, inputs })
  }

  #announceBoard(): void {
    const { instanceId } = this.instance
    const loaderMs = this.#line.waitingCount * (this.#loadMs / this.instance.loadsMax)
    this.#world.tellAll({
      kind: 'model-board',
      instanceId,
      loaderMs,
      displacedMs: 0,
      loadMs: this.#loadMs,
    })
  }

  async #measure(): Promise<void> {
    const { pid } = this.instance
    const bytes = pid === undefined ? undefined : await this.#world.measureBytes(pid)
    if (bytes !== undefined) this.#ledger.recordMeasurement(bytes)
  }

  #findById(modelId: string): Resident | undefined {
    return [...this.#residentByTarget.values()].find((resident) => resident.modelId === modelId)
  }
}

function loadedOf({ instanceId, targetModel, modelId, seat, loadMs }: LoadedModel): LoadedModel {
  return { instanceId, targetModel, modelId, loadMs, ...(seat !== undefined && { seat }) }
}
