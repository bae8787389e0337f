import type { BerthError } from '../../domain/errors.ts'
import type { ModelAsk } from '../../domain/multi-model/model-messages.ts'
import type { ModelHome } from './model-home.ts'

// What was asked may be lost with the connection or with control: it is asked again for as long as it is not answered.
const REMIND_INTERVAL_MS = 1_000

/** Which model on which instance. */
export interface ModelPlace {
  readonly endpointName: string
  readonly variantName: string
  readonly instanceId: string
  readonly targetModel: string
}

/** One invocation's wait for a model. */
export interface ModelWait {
  /** A use of it has begun for the caller when this resolves. Rejects with what kept it from being loaded. */
  readonly arrived: Promise<ModelHome>
  /**
   * The caller goes without it; a use that had begun meanwhile is given back.
   *
   * @param isCaching whether the model stays loaded when nothing uses it.
   */
  leave(isCaching: boolean): void
}

interface Waiter {
  readonly resolve: (home: ModelHome) => void
  readonly reject: (error: Error) => void
}

interface Want {
  readonly place: ModelPlace
  readonly doubtedModelId: string | undefined
  readonly waiters: Set<Waiter>
}

/** What wants take from their surroundings. */
export interface ModelWantsOptions {
  /** Tells control; may be lost. */
  readonly ask: (ask: ModelAsk) => void
  readonly beginUse: (home: ModelHome) => void
  readonly endUse: (home: ModelHome, isCaching: boolean) => void
  readonly nowMs: () => number
}

/** What was asked of control and is not answered yet. Everybody who waits for the same model shares the answer. */
export class ModelWants {
  readonly #options: ModelWantsOptions
  readonly #wantByPlace = new Map<string, Want>()
  #remindedAtMs = 0

  constructor(options: ModelWantsOptions) {
    this.#options = options
  }

  has(instanceId: string, targetModel: string): boolean {
    return this.#wantByPlace.size > 0 && this.#wantByPlace.has(keyOf(instanceId, targetModel))
  }

  /** @param doubtedModelId what the container said it does not have, though it was loaded. */
  add(place: ModelPlace, doubtedModelId?: string): ModelWait {
    const key = keyOf(place.instanceId, place.targetModel)
    let want = this.#wantByPlace.get(key)
    if (want === undefined) {
      want = { place, doubtedModelId, waiters: new Set() }
      this.#wantByPlace.set(key, want)
      this.#ask(want)
    }
    return this.#waitFor(want)
  }

  /**
   * The model is there. Every waiter's use of it begins in this very moment: a revocation that comes right behind finds
   * them.
   *
   * @param wasPresent it answers a doubt: the container has had it all the time.
   */
  answer(home: ModelHome, wasPresent: boolean): void {
    const want = this.#take(home.instanceId, home.targetModel)
    if (want === undefined) return
    const isContradicted = want.doubtedModelId !== undefined && wasPresent
    for (const { resolve, reject } of want.waiters) {
      if (isContradicted) reject(new ModelPresent())
      else resolve(home)
    }
  }

  fail(instanceId: string, targetModel: string, error: BerthError): void {
    for (const { reject } of this.#take(instanceId, targetModel)?.waiters ?? []) reject(error)
  }

  /** The instance has left the routes: whoever waits for it is to look for another. */
  forget(instanceId: string): void {
    for (const { place } of this.#wantByPlace.values()) {
      if (place.instanceId !== instanceId) continue
      const want = this.#take(instanceId, place.targetModel)
      for (const { reject } of want?.waiters ?? []) reject(new InstanceLeft())
    }
  }

  /** Asks again for all of them; for those of one instance, when it is named. */
  askAgain(instanceId?: string): void {
    for (const want of this.#wantByPlace.values()) {
      if (instanceId === undefined || want.place.instanceId === instanceId) this.#ask(want)
    }
  }

  /** Asks again for all of them when that was not done for a while. */
  remind(): void {
    const nowMs = this.#options.nowMs()
    if (nowMs - this.#remindedAtMs < REMIND_INTERVAL_MS) return
    this.#remindedAtMs = nowMs
    this.askAgain()
  }

  #waitFor({ waiters }: Want): ModelWait {
    const { beginUse, endUse } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<ModelHome>()
    // Whoever waited may have left.
    promise.catch(() => undefined)
    let arrived: ModelHome | undefined
    const waiter: Waiter = {
      resolve: (home) => {
        beginUse(home)
        arrived = home
        resolve(home)
      },
      reject,
    }
    waiters.add(waiter)
    const leave = (isCaching: boolean): void => {
      waiters.delete(waiter)
      if (arrived !== undefined) endUse(arrived, isCaching)
    }
    return { arrived: promise, leave }
  }

  #ask({ place, doubtedModelId }: Want): void {
    const doubt = doubtedModelId === undefined ? {} : { doubtedModelId }
    this.#options.ask({ kind: 'model-wanted', ...place, ...doubt })
  }

  #take(instanceId: string, targetModel: string): Want | undefined {
    const key = keyOf(instanceId, targetModel)
    const want = this.#wantByPlace.get(key)
    this.#wantByPlace.delete(key)
    return want
  }
}

/** The instance that was to load a model has left the routes: another one may. */
export class InstanceLeft extends Error {}

/** The container has had the model all the time: what it answered is the model's own answer. */
export class ModelPresent extends Error {}

function keyOf(instanceId: string, targetModel: string): string {
  return `${instanceId}\0${targetModel}`
}
