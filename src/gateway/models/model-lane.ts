import { decideShare } from '../../domain/fair-share.ts'
import { ModelCopies } from '../../domain/multi-model/model-copies.ts'
import { assumeService, chooseModelInstance } from '../../domain/multi-model/placement.ts'
import type { ModelCandidate } from '../../domain/multi-model/placement.ts'
import { RoundRobin } from '../../domain/round-robin.ts'
import type { InstanceRoute, MultiModelRoute, VariantRoute } from '../../domain/routes.ts'
import type { Admission, Slot } from '../admission.ts'
import type { InstanceUse } from '../lane.ts'
import type { ModelAtContainer } from '../transport.ts'
import type { ModelDirectory } from './model-directory.ts'
import type { ModelHome } from './model-home.ts'

// What loading a model is taken to cost of which nothing is known, until control says better.
const LOAD_MS_START = 20

/** One invocation that waits for its turn on an instance that has its model. */
export interface ModelWaiter {
  /** It holds a use of it. */
  readonly home: ModelHome
  readonly admit: (slot: ModelSlot) => void
  readonly fail: (error: Error) => void
}

/** What a lane takes from its surroundings. */
export interface ModelLaneOptions {
  readonly admission: Admission
  readonly directory: ModelDirectory
  readonly nowMs: () => number
  /** A model is worth a copy on one more instance. */
  readonly onCopyDue: (instanceId: string, targetModel: string) => void
}

/** An instance, what of each model it has outstanding, and the line before it. */
interface Counter {
  readonly instance: InstanceRoute
  readonly line: RoundRobin<ModelWaiter>
  readonly outstandingByModel: Map<string, number>
  /** Of the slots on it. */
  readonly owner: ModelSlotOwner
}

/** The right to have one invocation of a model outstanding on an instance, until it is disposed of. */
export class ModelSlot implements Disposable {
  readonly #slot: Slot
  #home: ModelHome
  readonly #owner: ModelSlotOwner
  #isHeld = true

  constructor(slot: Slot, home: ModelHome, owner: ModelSlotOwner) {
    this.#slot = slot
    this.#home = home
    this.#owner = owner
    home.outstandingCount += 1
  }

  get instance(): InstanceRoute {
    return this.#slot.instance
  }

  /** Where its model is; it holds a use of it. */
  get home(): ModelHome {
    return this.#home
  }

  get model(): ModelAtContainer {
    return this.#home
  }

  /** Its model has come back in another place of the same instance; the uses of both places are the caller's to count. */
  moveTo(home: ModelHome): void {
    this.#home.outstandingCount -= 1
    home.outstandingCount += 1
    this.#home = home
  }

  recordReply(): void {
    this.#home.answeredCount += 1
    this.#slot.recordReply()
  }

  recordCut(): void {
    this.#owner.recordCut(this.#home)
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#home.outstandingCount -= 1
    this.#slot[Symbol.dispose]()
    this.#owner.giveBack(this.#home)
  }
}

/** Who hears of a slot's end. */
interface ModelSlotOwner {
  readonly giveBack: (home: ModelHome) => void
  /** The connection to the container broke beneath the invocation. */
  readonly recordCut: (home: ModelHome) => void
}

/**
 * The instances of one multi-model variant, and on each a line with a turn for every model: one that is asked for a thousand
 * times waits behind its own, not the others behind it.
 *
 * How much of an instance a model may have at a time is a share of what is free (`domain/fair-share.ts`), or the variant's
 * `concurrencyMax`.
 */
export class ModelLane {
  readonly #options: ModelLaneOptions
  #route: MultiModelRoute
  readonly #counterByInstance = new Map<string, Counter>()
  readonly #copies = new ModelCopies()

  constructor(route: MultiModelRoute, options: ModelLaneOptions) {
    this.#route = route
    this.#options = options
  }

  get route(): MultiModelRoute {
    return this.#route
  }

  /** The variant has other instances. Whoever waits on one that is gone is told by `instanceLeft`. */
  update(variant: VariantRoute, instanceLeft: () => Error): void {
    this.#route = variant.multiModel ?? this.#route
    const present = new Set(variant.instances.map(({ instanceId }) => instanceId))
    for (const [instanceId, counter] of this.#counterByInstance) {
      if (present.has(instanceId)) continue
      this.#counterByInstance.delete(instanceId)
      this.#options.directory.forget(instanceId)
      for (;;) {
        const waiter = counter.line.next()
        if (waiter === undefined) break
        waiter.fail(instanceLeft())
      }
    }
    for (const instance of variant.instances) {
      if (this.#counterByInstance.has(instance.instanceId)) continue
      this.#counterByInstance.set(instance.instanceId, this.#createCounter(instance))
    }
  }

  /** Where an invocation of the model is expected to be answered first. Tells when the model is worth a copy elsewhere. */
  chooseInstance(
    targetModel: string,
    avoidInstanceId: string | undefined,
  ): InstanceRoute | undefined {
    const { admission, directory, nowMs } = this.#options
    const able: Candidate[] = []
    const atMs = nowMs()
    for (const counter of this.#counterByInstance.values()) {
      const use = admission.findUse(counter.instance)
      if (use === undefined || use.suspectUntilMs > atMs) continue
      able.push(this.#candidateOf(counter, use, targetModel))
    }
    const others = able.filter(({ instanceId }) => instanceId !== avoidInstanceId)
    const candidates = assumeService(others.length > 0 ? others : able)
    const [only] = candidates
    if (candidates.length === 1) return only?.instance
    const ids = candidates.map(({ instanceId }) => instanceId)
    const known = directory.loadMsOf(targetModel, ids) ?? directory.boardOf(ids[0] ?? '')?.loadMs
    const loadMs = known ?? LOAD_MS_START
    const chosen = chooseModelInstance(candidates, targetModel, loadMs)
    // Where models do not stay, a copy would be gone before it is used.
    if (chosen !== undefined && this.#route.isCaching) {
      const placed = { targetModel, loadMs, nowMs: atMs }
      const due = this.#copies.recordChoice(chosen, candidates, placed)
      if (due !== undefined) this.#options.onCopyDue(due.instanceId, targetModel)
    }
    return chosen?.instance
  }

  /** A slot at once where the model's share allows it and nobody of it waits. */
  tryEnter(home: ModelHome): ModelSlot | undefined {
    const counter = this.#counterByInstance.get(home.instanceId)
    if (counter === undefined || counter.line.countOf(home.targetModel) > 0) return undefined
    return this.#admit(counter, home)
  }

  /** Invocations of the model that wait on the instance. */
  waitingCount(home: ModelHome): number {
    return this.#counterByInstance.get(home.instanceId)?.line.countOf(home.targetModel) ?? 0
  }

  /** @returns what takes the waiter out again; undefined when the instance has left. */
  join(waiter: ModelWaiter): (() => void) | undefined {
    const { instanceId, targetModel } = waiter.home
    const counter = this.#counterByInstance.get(instanceId)
    if (counter === undefined) return undefined
    counter.line.add(targetModel, waiter, 1)
    return () => counter.line.remove(targetModel, waiter)
  }

  #createCounter(instance: InstanceRoute): Counter {
    const counter: Counter = {
      instance,
      line: new RoundRobin<ModelWaiter>(),
      outstandingByModel: new Map<string, number>(),
      owner: {
        giveBack: (home) => this.#giveBack(counter, home),
        recordCut: (home) => this.#options.directory.recordCut(home),
      },
    }
    return counter
  }

  #candidateOf({ instance, line }: Counter, use: InstanceUse, targetModel: string): Candidate {
    const { directory } = this.#options
    const { instanceId } = instance
    const isLoaded = directory.find(instanceId, targetModel) !== undefined
    const isWanted = !isLoaded && directory.isWanted(instanceId, targetModel)
    const { loaderMs = 0 } = directory.boardOf(instanceId) ?? {}
    const aheadCount = use.outstandingCount + line.count
    const serviceMs = use.service.predictMs(aheadCount)
    const service = { serviceMs, aloneMs: use.service.predictMs(0), aheadCount }
    const presence = isLoaded ? 'loaded' : isWanted ? 'loading' : 'absent'
    return { instance, instanceId, ...service, presence, loaderMs }
  }

  #admit(counter: Counter, home: ModelHome): ModelSlot | undefined {
    const use = this.#options.admission.findUse(counter.instance)
    if (use === undefined || !this.#mayGo(counter, use, home.targetModel)) return undefined
    return this.#take(counter, use, home)
  }

  #take(counter: Counter, use: InstanceUse, home: ModelHome): ModelSlot {
    const slot = this.#options.admission.takeSlot(use)
    const { outstandingByModel } = counter
    const { targetModel } = home
    outstandingByModel.set(targetModel, (outstandingByModel.get(targetModel) ?? 0) + 1)
    return new ModelSlot(slot, home, counter.owner)
  }

  #mayGo({ outstandingByModel }: Counter, use: InstanceUse, targetModel: string): boolean {
    const ownTaken = outstandingByModel.get(targetModel) ?? 0
    const { concurrencyMax } = this.#route
    const { slotCount: capacity, outstandingCount: taken } = use
    if (concurrencyMax !== undefined) return taken < capacity && ownTaken < concurrencyMax
    // With nothing of its own there it may have the last slot: nobody is to wait for a share of what is not used.
    if (ownTaken === 0) return taken < capacity
    return decideShare({ capacity, taken, ownTaken, wanted: 1 }) === 'granted'
  }

  #giveBack(counter: Counter, home: ModelHome): void {
    const { outstandingByModel } = counter
    const { targetModel } = home
    const left = (outstandingByModel.get(targetModel) ?? 1) - 1
    if (left === 0) outstandingByModel.delete(targetModel)
    else outstandingByModel.set(targetModel, left)
    if (counter.line.count > 0) this.#admitWaiting(counter)
    this.#options.directory.endUse(home, this.#route.isCaching)
  }

  #admitWaiting(counter: Counter): void {
    const use = this.#options.admission.findUse(counter.instance)
    if (use === undefined) return
    for (;;) {
      const waiter = counter.line.next((targetModel) => this.#mayGo(counter, use, targetModel))
      if (waiter === undefined) return
      waiter.admit(this.#take(counter, use, waiter.home))
    }
  }
}

interface Candidate extends ModelCandidate {
  readonly instance: InstanceRoute
}
