import { isBerthError } from '../../domain/errors.ts'
import type { ModelAsk, ModelFailure } from '../../domain/multi-model/model-messages.ts'
import type { InstanceModelsReport } from '../../domain/multi-model/model-report.ts'
import { Quarantine } from '../../domain/multi-model/quarantine.ts'
import type { HeldFailure, LoadFailureKind } from '../../domain/multi-model/quarantine.ts'
import type { ModelFiles } from '../../ports/model-disk.ts'
import { Evictions } from './evictions.ts'
import { NoRoom, errorOf, failureOf } from './load-failure.ts'
import { LoadLine } from './load-line.ts'
import {
  loadedEvent,
  notReplacedEvent,
  quarantinedEvent,
  replacedEvent,
  takenOverEvent,
  unloadedEvent,
} from './model-decisions.ts'
import { ModelDoubts } from './model-doubts.ts'
import { modelIdOf } from './model-id.ts'
import type { InstanceModelsWorld, ModelInstance } from './model-instance.ts'
import { ModelLoader } from './model-loader.ts'
import { Residents, loadedOf } from './residents.ts'
import type { Resident } from './residents.ts'
import { Revocations } from './revocations.ts'
import type { Released } from './revocations.ts'

// Source: data-plane reference §9.4: download and load go on in the background for so long.
const LOAD_MS_MAX = 360_000
const LOAD_MS_START = 20
const LOAD_WEIGHT = 0.2

/** An invocation of a gateway waits for a model. */
type Wanted = Pick<
  Extract<ModelAsk, { kind: 'model-wanted' }>,
  'targetModel' | 'doubtedModelId' | 'isRevalidation' | 'isCopy'
>

/**
 * The models of one instance: the only place that loads and unloads there.
 *
 * A load is shared by everybody who asks for the model; a bounded number runs at a time; what is evicted for it is the least
 * worth of what no gateway uses. `absent → loading → loaded → (revoked) → absent`.
 */
export class InstanceModels {
  readonly instance: ModelInstance
  readonly #world: InstanceModelsWorld
  readonly #residents: Residents
  readonly #loadingByTarget = new Map<string, Promise<void>>()
  /** Gateways to be told when a load fails; when it succeeds all are. */
  readonly #askerIdsByTarget = new Map<string, Set<string>>()
  readonly #doubts: ModelDoubts
  readonly #quarantine = new Quarantine<ModelFailure>()
  readonly #line: LoadLine
  readonly #revocations: Revocations
  readonly #evictions: Evictions
  readonly #loader: ModelLoader
  readonly #life = new AbortController()
  readonly #opened = Promise.withResolvers<void>()
  #isOpen = false
  #loadMs = LOAD_MS_START

  constructor(instance: ModelInstance, world: InstanceModelsWorld) {
    this.instance = instance
    this.#world = world
    this.#residents = new Residents(instance.settings.eviction, world.nowMs)
    this.#line = new LoadLine(instance.loadsMax)
    this.#revocations = new Revocations(instance.instanceId, world)
    const loadingById = new Map<string, string>()
    this.#evictions = new Evictions({
      ...world,
      instance,
      residents: this.#residents,
      revocations: this.#revocations,
      loadingById,
      isDoubted: (targetModel) => this.#doubts.has(targetModel),
      life: this.#life.signal,
    })
    const evictions = this.#evictions
    this.#loader = new ModelLoader({ ...world, instance, evictions, loadingById })
    this.#doubts = new ModelDoubts({
      ...world,
      instance,
      residents: this.#residents,
      revocations: this.#revocations,
      evictions,
      loader: this.#loader,
      replace: (targetModel, files) => this.#replace(targetModel, files),
      life: this.#life.signal,
    })
  }

  /** What is loaded with why it stays, and what cannot be with why. */
  report(): InstanceModelsReport {
    const { instanceId, variantName, memoryBytesMax, settings } = this.instance
    const { ledger, ranking } = this.#residents
    const nowMs = this.#world.nowMs()
    const models = this.#residents.all().map((resident) => ({
      ...loadedOf(resident),
      memoryBytes: Math.round(ledger.bytesOf(resident.targetModel)),
      uses: Math.round(ranking.usesOf(resident.targetModel, nowMs) * 100) / 100,
      isPinned: settings.pinned.includes(resident.targetModel),
    }))
    const held = [...this.#world.heldBack.list(nowMs), ...this.#quarantine.list(nowMs)]
    const quarantined = held.map(({ model, reason, backOff }) => ({
      targetModel: model,
      reason: reason.message,
      waitMs: Math.ceil(backOff.notBeforeMs - nowMs),
      failureCount: backOff.failureCount,
    }))
    const memoryBytes = Math.round(ledger.bytes)
    return { instanceId, variantName, memoryBytes, memoryBytesMax, models, quarantined }
  }

  /** Files that must stay where they are. */
  contentHashes(): readonly string[] {
    return this.#residents.all().map(({ contentHash }) => contentHash)
  }

  /** Takes over what an earlier control left at the container; then loads the lists. Asks wait until then. */
  async start(): Promise<void> {
    try {
      await this.#takeOver()
      await this.#world.heldBack.untilJudged()
      this.#world.heldBack.recordServing()
    } finally {
      this.#isOpen = true
      this.#opened.resolve()
    }
    this.#world.tellAll(this.#models())
    await this.#measure()
    const { pinned, preloaded } = this.instance.settings
    for (const targetModel of [...pinned, ...preloaded]) {
      if (this.#residents.find(targetModel) !== undefined) continue
      this.#want(targetModel).catch(() => undefined)
    }
  }

  /** A gateway's connection begins: it is told what is loaded. */
  welcome(gatewayId: string): void {
    this.#revocations.recordReconnection(gatewayId)
    // Until what is there has been taken over, gateways know better.
    if (this.#isOpen) this.#world.tell(gatewayId, this.#models())
  }

  /** A gateway's connection ended. */
  recordLost(gatewayId: string): void {
    this.#revocations.recordReconnection(gatewayId)
    for (const ids of this.#askerIdsByTarget.values()) ids.delete(gatewayId)
  }

  /**
   * A gateway's invocation waits for a model. It is told when it is there, or why it cannot be. Asking again while it is
   * being loaded changes nothing.
   */
  want(gatewayId: string, wanted: Wanted): void {
    const { targetModel, doubtedModelId, isRevalidation = false, isCopy = false } = wanted
    const resident = this.#residents.find(targetModel)
    if (isRevalidation) void this.#revalidate(targetModel)
    else if (isCopy) void this.#copy(targetModel).catch(() => undefined)
    else if (resident === undefined) this.#addAsker(gatewayId, targetModel)
    else if (resident.modelId === doubtedModelId) void this.#doubts.resolve(gatewayId, resident)
    else {
      this.#revocations.refuse(resident.modelId)
      this.#world.tell(gatewayId, { kind: 'model-loaded', ...loadedOf(resident) })
    }
  }

  /** Gateways used models so often since they last said so. */
  recordUses(uses: Readonly<Record<string, number>>): void {
    const nowMs = this.#world.nowMs()
    for (const [targetModel, count] of Object.entries(uses)) {
      this.#residents.ranking.recordUse(targetModel, count, nowMs)
      const resident = this.#residents.find(targetModel)
      if (resident !== undefined) this.#world.stock.recordUse(resident.contentHash, count)
    }
  }

  /** A gateway's answer to a revocation. */
  recordReleased(gatewayId: string, released: Released): void {
    this.#revocations.recordAnswer(gatewayId, released)
  }

  /** Nothing of a gateway uses a model any more that is not to stay. */
  async done(modelId: string): Promise<void> {
    const resident = this.#residents.findById(modelId)
    if (resident === undefined || this.instance.isCaching) return
    if (this.#doubts.has(resident.targetModel)) return
    if (!(await this.#evictions.unloadIdle(resident))) return
    this.#world.recordEvent(unloadedEvent(resident))
    this.#world.stock.discard(resident.contentHash)
  }

  /** Target models whose loads are under way, or were when the container stopped answering. */
  loading(): readonly string[] {
    return this.#loader.underWay()
  }

  /** A model is not to be used for a while: what is under way ends, and nothing begins. */
  withdraw(targetModel: string): void {
    const resident = this.#residents.find(targetModel)
    if (resident === undefined || this.#doubts.has(targetModel)) return
    const { instanceId, modelId } = resident
    this.#residents.remove(resident)
    this.#world.tellAll({ kind: 'model-gone', instanceId, targetModel, modelId })
    this.#evictions.retire(resident)
    const unloaded = this.#evictions.untilUnloaded(modelId)
    void this.#world.stock.keepUntil(resident.contentHash, unloaded)
  }

  /** The instance is gone, or not ours any more. */
  close(): void {
    this.#life.abort()
    this.#revocations.close()
  }

  // What it does not take over has no name that anybody knows, or is an earlier content of one that has.
  async #takeOver(): Promise<void> {
    const { instanceId, address } = this.instance
    const { container, held } = this.#world
    const { signal } = this.#life
    const left = (await container.list(address, signal)) ?? []
    if (left.length === 0) return
    await held.untilComplete(signal)
    for (const { modelId, seat } of left) {
      const known = held.find(instanceId, modelId)
      if (known === undefined || this.#residents.find(known.targetModel) !== undefined) {
        this.#evictions.retire({ modelId, targetModel: known?.targetModel ?? modelId })
      } else this.#residents.add({ ...known, ...(seat !== undefined && { seat }) })
    }
    const keptCount = this.#residents.count
    const unknownCount = left.length - keptCount
    this.#world.recordEvent(takenOverEvent(instanceId, { keptCount, unknownCount }))
  }

  #addAsker(gatewayId: string, targetModel: string): void {
    const askerIds = this.#askerIdsByTarget.get(targetModel)
    if (askerIds !== undefined) {
      askerIds.add(gatewayId)
      return
    }
    this.#askerIdsByTarget.set(targetModel, new Set([gatewayId]))
    this.#want(targetModel).then(
      () => this.#askerIdsByTarget.delete(targetModel),
      (error: unknown) => this.#tellFailure(targetModel, error),
    )
  }

  #tellFailure(targetModel: string, error: unknown): void {
    const askerIds = this.#askerIdsByTarget.get(targetModel) ?? []
    this.#askerIdsByTarget.delete(targetModel)
    // The instance has left, and the gateways' routes with it; or it is being taken over anew, and they ask again.
    if (this.#life.signal.aborted) return
    const { instanceId } = this.instance
    const failure = failureOf(error, targetModel)
    for (const gatewayId of askerIds) {
      this.#world.tell(gatewayId, { kind: 'model-failed', instanceId, targetModel, failure })
    }
  }

  #want(targetModel: string): Promise<void> {
    const loading = this.#loadingByTarget.get(targetModel)
    if (loading !== undefined) return loading
    const nowMs = this.#world.nowMs()
    const held = this.#findHeldBack(targetModel) ?? this.#quarantine.find(targetModel, nowMs)
    if (held !== undefined) return Promise.reject(errorOf(held.reason))
    return this.#share(targetModel, this.#loadInTurn(targetModel))
  }

  #findHeldBack(targetModel: string): HeldFailure<ModelFailure> | undefined {
    return this.#world.heldBack.find(targetModel, this.#world.nowMs())
  }

  #share(targetModel: string, load: Promise<void>): Promise<void> {
    const shared = load.finally(() => {
      this.#loadingByTarget.delete(targetModel)
      this.#announceBoard()
    })
    this.#loadingByTarget.set(targetModel, shared)
    return shared
  }

  async #loadInTurn(targetModel: string): Promise<void> {
    const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(LOAD_MS_MAX)])
    await this.#opened.promise
    // Taken over meanwhile.
    if (this.#residents.find(targetModel) !== undefined) return
    this.#announceBoard()
    using _turn = await this.#line.enter(signal)
    // Processes may have ended beneath it while it waited.
    const held = this.#findHeldBack(targetModel)
    if (held !== undefined) throw errorOf(held.reason)
    try {
      await this.#load(targetModel, signal)
      this.#quarantine.recordSuccess(targetModel)
    } catch (error) {
      const isHeldBack = this.#findHeldBack(targetModel) !== undefined
      if (!this.#life.signal.aborted && !isHeldBack) this.#hold(targetModel, error)
      this.#world.stock.forget(this.instance.prefixUrl, targetModel)
      throw error
    }
  }

  async #load(targetModel: string, signal: AbortSignal): Promise<void> {
    const { nowMs, stock, recordTime } = this.#world
    const startedAtMs = nowMs()
    const cause = { why: 'its files leave the disk for others' }
    const freeOne = async (): Promise<boolean> =>
      (await this.#evictions.evictOne(targetModel, cause, signal)) !== 'nothing'
    // Held until the model is resident: then they stay for that.
    using files = await stock.fetch(this.instance.prefixUrl, targetModel, { signal, freeOne })
    const fetchMs = nowMs() - startedAtMs
    recordTime('downloading', fetchMs)
    await this.#place(targetModel, files, { fetchMs, signal })
  }

  async #place(
    targetModel: string,
    { directory, contentHash, bytes: fileBytes }: ModelFiles,
    { fetchMs, signal }: { readonly fetchMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { instanceId } = this.instance
    const modelId = modelIdOf(targetModel, contentHash)
    await this.#evictions.makeRoom(targetModel, fileBytes, signal)
    await this.#evictions.untilUnloaded(modelId)
    const { seat, loadMs } = await this.#loader.load({ modelId, targetModel, directory }, signal)
    // Its files are not needed any more, and nobody would unload it.
    this.#life.signal.throwIfAborted()
    const held = this.#findHeldBack(targetModel)
    if (held !== undefined) {
      this.#evictions.retire({ modelId, targetModel })
      throw errorOf(held.reason)
    }
    const at = seat === undefined ? {} : { seat }
    const model = { instanceId, targetModel, modelId, ...at, loadMs, contentHash, fileBytes }
    const replaced = this.#residents.add(model)
    this.#loadMs += LOAD_WEIGHT * (loadMs - this.#loadMs)
    this.#world.tellAll({ kind: 'model-loaded', ...model })
    this.#world.recordEvent(loadedEvent(model, fetchMs))
    if (replaced !== undefined && replaced.modelId !== modelId) this.#retire(replaced)
    void this.#measure()
  }

  // The earlier content of a target model: gateways know the new one and use the old one only for what is under way.
  #retire(replaced: Resident): void {
    this.#world.recordEvent(replacedEvent(replaced))
    this.#evictions.retire(replaced)
    const unloaded = this.#evictions.untilUnloaded(replaced.modelId)
    void this.#world.stock.keepUntil(replaced.contentHash, unloaded)
  }

  async #revalidate(targetModel: string): Promise<void> {
    const { prefixUrl } = this.instance
    const { signal } = this.#life
    const findIdle = (): Resident | undefined =>
      this.#loadingByTarget.has(targetModel) ? undefined : this.#residents.find(targetModel)
    const before = findIdle()
    if (before === undefined) return
    try {
      using files = await this.#world.stock.refetch(prefixUrl, targetModel, { signal })
      const resident = findIdle()
      if (resident === undefined || files.contentHash === resident.contentHash) return
      await this.#replace(targetModel, files)
    } catch (error) {
      if (signal.aborted) return
      this.#world.recordEvent(notReplacedEvent(before, failureOf(error, targetModel)))
    }
  }

  // Files that are here already; whoever asks for the model meanwhile waits for this load.
  #replace(targetModel: string, files: ModelFiles): Promise<void> {
    const { signal } = this.#life
    return this.#share(targetModel, this.#place(targetModel, files, { fetchMs: 0, signal }))
  }

  // Nobody waits for it, so it takes nobody's place.
  async #copy(targetModel: string): Promise<void> {
    await this.#opened.promise
    if (this.#residents.find(targetModel) !== undefined) return
    const { prefixUrl, memoryBytesMax } = this.instance
    const need = { signal: this.#life.signal }
    using files = await this.#world.stock.fetch(prefixUrl, targetModel, need)
    const hasRoom = this.#residents.ledger.hasRoomFor(files.bytes, memoryBytesMax)
    if (hasRoom) await this.#want(targetModel)
  }

  #hold(targetModel: string, error: unknown): void {
    const kind = kindOf(error)
    const failure = failureOf(error, targetModel)
    const nowMs = this.#world.nowMs()
    const held = this.#quarantine.recordFailure(targetModel, { kind, reason: failure }, nowMs)
    if (kind === 'missing') return
    this.#world.recordEvent(quarantinedEvent(this.instance.instanceId, targetModel, held))
  }

  #announceBoard(): void {
    const { instanceId } = this.instance
    const loadMs = this.#loadMs
    const loaderMs = this.#line.waitingCount * (loadMs / this.instance.loadsMax)
    this.#world.tellAll({ kind: 'model-board', instanceId, loaderMs, loadMs })
  }

  #models() {
    const models = this.#residents.all().map(loadedOf)
    return { kind: 'models', instanceId: this.instance.instanceId, models } as const
  }

  async #measure(): Promise<void> {
    const { pid } = this.instance
    const bytes = pid === undefined ? undefined : await this.#world.measureBytes(pid)
    if (bytes !== undefined) this.#residents.recordMeasurement(bytes)
  }
}

function kindOf(error: unknown): LoadFailureKind {
  if (error instanceof NoRoom) return 'full'
  return isBerthError(error) && error.code === 'ValidationError' ? 'missing' : 'broken'
}
