import { BerthError } from '../../domain/errors.ts'
import type { ModelCounters } from '../../domain/multi-model/model-messages.ts'
import type { EndpointRoute } from '../../domain/routes.ts'
import type { Clock } from '../../ports/clock.ts'
import { noInstance } from '../admission.ts'
import type { Admission } from '../admission.ts'
import { ClientGone } from '../deadline.ts'
import type { Deadline } from '../deadline.ts'
import type { ModelDirectory } from './model-directory.ts'
import type { ModelHome } from './model-home.ts'
import { ModelLane } from './model-lane.ts'
import type { ModelSlot } from './model-lane.ts'
import { InstanceLeft, ModelPresent } from './model-wants.ts'
import type { ModelPlace } from './model-wants.ts'

// Invocations that wait for models to be loaded, per variant. Their bodies are bounded by the gateway's budget.
const LOADING_WAITING_MAX = 10_000
// How often it is looked whether an instance takes connections again, while none does.
const UNREADY_POLL_MS = 25

/** What lanes take from their surroundings. */
export interface ModelLanesOptions {
  readonly admission: Admission
  readonly directory: ModelDirectory
  /** Invocations of one model that may wait on one instance. */
  readonly waitingMax: number
  /** How long an invocation waits while its variant has no instance that accepts connections. */
  readonly unreadyWaitMs: number
  readonly clock: Clock
  readonly nowMs: () => number
}

/** What an invocation of a multi-model variant asks for. */
export interface ModelSlotRequest {
  readonly endpointName: string
  readonly variantName: string
  readonly targetModel: string
  readonly avoidInstanceId: string | undefined
  readonly deadline: Deadline
}

interface Entry {
  readonly lane: ModelLane
  readonly counters: { -readonly [Name in keyof ModelCounters]: ModelCounters[Name] }
  loadingCount: number
}

/** Slots for invocations of multi-model variants: on an instance that has the model, or once one has it. */
export class ModelLanes {
  readonly #options: ModelLanesOptions
  readonly #entryByVariant = new Map<string, Entry>()

  constructor(options: ModelLanesOptions) {
    this.#options = options
  }

  /** Takes over a change of one endpoint's route. Admission must have taken it over before. */
  applyRoute(previous: EndpointRoute | undefined, next: EndpointRoute | undefined): void {
    const kept = new Set<string>()
    for (const variant of next?.variants ?? []) {
      if (next === undefined || variant.multiModel === undefined) continue
      const { endpointName } = next
      const { variantName, multiModel } = variant
      const key = laneKey(endpointName, variantName)
      kept.add(key)
      const entry = this.#entryByVariant.get(key) ?? {
        lane: new ModelLane(multiModel, {
          ...this.#options,
          onCopyDue: (instanceId, targetModel) =>
            this.#options.directory.askForCopy({
              endpointName,
              variantName,
              instanceId,
              targetModel,
            }),
        }),
        counters: { endpointName, variantName, ...NO_COUNTS },
        loadingCount: 0,
      }
      this.#entryByVariant.set(key, entry)
      entry.lane.update(variant, () => new InstanceLeft())
    }
    for (const variant of previous?.variants ?? []) {
      const key = laneKey(previous?.endpointName ?? '', variant.variantName)
      const entry = this.#entryByVariant.get(key)
      if (entry === undefined || kept.has(key)) continue
      this.#entryByVariant.delete(key)
      entry.lane.update({ ...variant, instances: [] }, () => new InstanceLeft())
    }
  }

  /** What was counted since the start, of variants that were used. */
  counters(): readonly ModelCounters[] {
    return [...this.#entryByVariant.values()].map(({ counters }) => ({ ...counters }))
  }

  /**
   * A slot for an invocation of a model: at once where it is loaded and its share allows it.
   *
   * @throws BerthError `ModelNotReadyException`: it was not loaded in the invocation's time; loading goes on.
   * @throws BerthError `ValidationError`, `ModelError`, …: it cannot be loaded.
   * @throws BerthError `ServiceUnavailable`: too many wait, or no instance takes connections.
   * @throws ClientGone
   */
  enter(request: ModelSlotRequest): ModelSlot | Promise<ModelSlot> {
    const { endpointName, variantName, targetModel, avoidInstanceId } = request
    const entry = this.#entryByVariant.get(laneKey(endpointName, variantName))
    if (entry === undefined) throw noInstance(request)
    const { lane } = entry
    const instance = lane.chooseInstance(targetModel, avoidInstanceId)
    const home = instance && this.#options.directory.find(instance.instanceId, targetModel)
    entry.counters[home === undefined ? 'missCount' : 'hitCount'] += 1
    if (home === undefined) return this.#enterSlowly(entry, request)
    this.#revalidate(lane, home, request)
    this.#options.directory.beginUse(home)
    return lane.tryEnter(home) ?? this.#waitForTurn(lane, home, request)
  }

  /**
   * The container said that it does not have a model which is loaded there.
   *
   * @returns a use of it, when the instance had lost it and has it again; undefined when what it said is the model's own
   * answer.
   */
  async recover(home: ModelHome, request: ModelSlotRequest): Promise<Disposable | undefined> {
    const { instanceId, targetModel, modelId } = home
    const { endpointName, variantName } = request
    const place = { endpointName, variantName, instanceId, targetModel }
    const { directory } = this.#options
    const lane = this.#entryByVariant.get(laneKey(endpointName, variantName))?.lane
    const current = directory.find(instanceId, targetModel)
    // Somebody else has found out already.
    if (lane === undefined || (current !== undefined && current.modelId !== modelId)) return NO_USE
    try {
      const found = await this.#arrival(lane, place, { request, doubtedModelId: modelId })
      return { [Symbol.dispose]: () => directory.endUse(found, lane.route.isCaching) }
    } catch (error) {
      if (error instanceof ModelPresent) return undefined
      if (error instanceof InstanceLeft) return NO_USE
      throw error
    }
  }

  /** Has a slot say where its model is now, after {@link ModelLanes.recover}: it may be at another worker of its instance. */
  follow(slot: ModelSlot): void {
    const { directory } = this.#options
    const { home: before } = slot
    const home = directory.find(before.instanceId, before.targetModel)
    if (home === undefined || home === before) return
    directory.beginUse(home)
    slot.moveTo(home)
    // It stays: what is at the new place is in use.
    directory.endUse(before, true)
  }

  async #enterSlowly(entry: Entry, request: ModelSlotRequest): Promise<ModelSlot> {
    if (entry.loadingCount >= LOADING_WAITING_MAX) throw tooManyLoading(request)
    const { directory, nowMs } = this.#options
    const { lane, counters } = entry
    const startedAtMs = nowMs()
    entry.loadingCount += 1
    try {
      for (;;) {
        const place = await this.#choosePlace(lane, request)
        const found = directory.find(place.instanceId, request.targetModel)
        if (found !== undefined) directory.beginUse(found)
        const home = found ?? (await this.#load(lane, place, request))
        if (home === undefined) continue
        const slot = lane.tryEnter(home) ?? (await this.#turnOrAgain(lane, home, request))
        if (slot !== undefined) return slot
      }
    } finally {
      entry.loadingCount -= 1
      counters.loadingWaitMicrosSum += Math.round((nowMs() - startedAtMs) * 1000)
    }
  }

  /** @returns the model, with a use of it begun; undefined when the instance left meanwhile. */
  async #load(
    lane: ModelLane,
    place: ModelPlace,
    request: ModelSlotRequest,
  ): Promise<ModelHome | undefined> {
    try {
      return await this.#arrival(lane, place, { request })
    } catch (error) {
      if (error instanceof InstanceLeft) return undefined
      throw error
    }
  }

  async #arrival(
    lane: ModelLane,
    place: ModelPlace,
    { request, doubtedModelId }: { request: ModelSlotRequest; doubtedModelId?: string },
  ): Promise<ModelHome> {
    const wait = this.#options.directory.want(place, doubtedModelId)
    try {
      return await this.#inTime(wait.arrived, request)
    } catch (error) {
      wait.leave(lane.route.isCaching)
      throw error
    }
  }

  async #choosePlace(lane: ModelLane, request: ModelSlotRequest): Promise<ModelPlace> {
    const { clock, unreadyWaitMs, nowMs } = this.#options
    const { endpointName, variantName, targetModel, avoidInstanceId, deadline } = request
    const giveUpAtMs = nowMs() + unreadyWaitMs
    const never = new AbortController().signal
    for (;;) {
      if (deadline.endedBy !== undefined) throw endOf(request)
      const instance = lane.chooseInstance(targetModel, avoidInstanceId)
      if (instance !== undefined) {
        return { endpointName, variantName, targetModel, instanceId: instance.instanceId }
      }
      if (nowMs() >= giveUpAtMs) throw noInstance(request)
      await clock.sleep(UNREADY_POLL_MS, never)
    }
  }

  async #turnOrAgain(
    lane: ModelLane,
    home: ModelHome,
    request: ModelSlotRequest,
  ): Promise<ModelSlot | undefined> {
    try {
      return await this.#queue(lane, home, request)
    } catch (error) {
      if (error instanceof InstanceLeft) return undefined
      throw error
    }
  }

  async #waitForTurn(
    lane: ModelLane,
    home: ModelHome,
    request: ModelSlotRequest,
  ): Promise<ModelSlot> {
    if (lane.waitingCount(home) >= this.#options.waitingMax) {
      this.#options.directory.endUse(home, lane.route.isCaching)
      throw lineIsFull(request, this.#options.waitingMax)
    }
    const slot = await this.#turnOrAgain(lane, home, request)
    return slot ?? (await this.enter(request))
  }

  /** Waits for a turn on the instance; the use of the model ends when there is none. */
  async #queue(lane: ModelLane, home: ModelHome, request: ModelSlotRequest): Promise<ModelSlot> {
    const { promise, resolve, reject } = Promise.withResolvers<ModelSlot>()
    let slot: ModelSlot | undefined
    const admit = (admitted: ModelSlot): void => {
      slot = admitted
      resolve(admitted)
    }
    const leave = lane.join({ home, admit, fail: reject })
    if (leave === undefined) reject(new InstanceLeft())
    try {
      return await this.#inTime(promise, request)
    } catch (error) {
      leave?.()
      // Admitted in the very moment in which its time was over.
      if (slot === undefined) this.#options.directory.endUse(home, lane.route.isCaching)
      else slot[Symbol.dispose]()
      throw error
    }
  }

  async #inTime<T>(promise: Promise<T>, request: ModelSlotRequest): Promise<T> {
    const { deadline } = request
    const ended = Promise.withResolvers<never>()
    if (deadline.endedBy !== undefined) throw endOf(request)
    deadline.onEnd(() => ended.reject(endOf(request)))
    try {
      return await Promise.race([promise, ended.promise])
    } finally {
      deadline.onEnd(undefined)
    }
  }

  #revalidate(lane: ModelLane, home: ModelHome, request: ModelSlotRequest): void {
    const { revalidateMs } = lane.route
    if (revalidateMs === undefined) return
    if (this.#options.nowMs() - home.confirmedAtMs < revalidateMs) return
    const { endpointName, variantName, targetModel } = request
    const { instanceId } = home
    this.#options.directory.revalidate({ endpointName, variantName, targetModel, instanceId }, home)
  }
}

const NO_USE: Disposable = { [Symbol.dispose]: () => undefined }
const NO_COUNTS = { hitCount: 0, missCount: 0, loadingWaitMicrosSum: 0 }

function laneKey(endpointName: string, variantName: string): string {
  return `${endpointName}/${variantName}`
}

function endOf(request: ModelSlotRequest): Error {
  const { endedBy } = request.deadline
  if (endedBy instanceof ClientGone) return endedBy
  const what = `Model ${request.targetModel} of endpoint ${request.endpointName} is not ready yet.`
  return new BerthError('ModelNotReadyException', `${what} It goes on loading; repeat the call.`)
}

function lineIsFull({ targetModel, endpointName }: ModelSlotRequest, waitingMax: number) {
  const line = `${waitingMax} invocations already wait for model ${targetModel} of endpoint`
  return unavailable(`${line} ${endpointName}. Repeat the call, or add instances.`)
}

function tooManyLoading({ endpointName, variantName }: ModelSlotRequest): BerthError {
  const what = `${LOADING_WAITING_MAX} invocations already wait for models to be loaded`
  const where = `on variant ${variantName} of endpoint ${endpointName}`
  return unavailable(`${what} ${where}. Repeat the call, or add instances.`)
}

function unavailable(message: string): BerthError {
  return new BerthError('ServiceUnavailable', message)
}
