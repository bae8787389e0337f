import type { ModelAsk, ModelNews } from '../../domain/multi-model/model-messages.ts'

// A gateway answers in a millisecond. One that does not is taken to use the model …
const ANSWER_MS_MAX = 2_000
// … but one that has been silent for so long stands still: it is not asked any more until it speaks.
const SILENT_MS_MAX = 10_000

/** How gateways are asked. */
export interface RevocationsWorld {
  readonly connectedGatewayIds: () => readonly string[]
  readonly held: { isGatewayAway(): boolean }
  readonly tell: (gatewayId: string, news: ModelNews) => void
  readonly nowMs: () => number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** A gateway's answer. */
export type Released = Extract<ModelAsk, { kind: 'model-released' }>

interface Pending {
  readonly revocationId: number
  readonly unansweredIds: Set<string>
  readonly settle: (isIdle: boolean) => void
}

/**
 * Asks every gateway to let go of a model of one instance: nothing that is in use is taken away.
 *
 * `asked → granted` when the last gateway that is connected has let go; `asked → refused` when one uses it, one asks for it,
 * one does not answer, or a connection begins or ends meanwhile: whoever has let go may be told of the model again by then.
 */
export class Revocations {
  readonly #instanceId: string
  readonly #world: RevocationsWorld
  readonly #pendingById = new Map<string, Pending>()
  readonly #silentFromMsByGateway = new Map<string, number>()
  readonly #closing = new AbortController()
  // One instance's may be made anew, while answers to its earlier questions are under way.
  static #lastRevocationId = 0

  constructor(instanceId: string, world: RevocationsWorld) {
    this.#instanceId = instanceId
    this.#world = world
  }

  /**
   * @param onGranted called in the moment in which the last gateway lets go: whoever asks for the model after that, even in
   * the same message, has to find it gone.
   * @returns whether it was granted.
   */
  async revoke(modelId: string, onGranted: () => void): Promise<boolean> {
    if (this.#pendingById.has(modelId) || this.#closing.signal.aborted) return false
    // It may use the model, and cannot be asked.
    if (this.#world.held.isGatewayAway()) return false
    const askedIds = this.#world.connectedGatewayIds().filter((id) => !this.#isSilent(id))
    if (askedIds.length === 0) {
      onGranted()
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const settle = (isIdle: boolean): void => {
      this.#pendingById.delete(modelId)
      if (isIdle) onGranted()
      resolve(isIdle)
    }
    Revocations.#lastRevocationId += 1
    const revocationId = Revocations.#lastRevocationId
    const pending = { revocationId, unansweredIds: new Set(askedIds), settle }
    this.#pendingById.set(modelId, pending)
    const question = { instanceId: this.#instanceId, modelId, revocationId }
    for (const id of askedIds) this.#world.tell(id, { kind: 'model-revoked', ...question })
    void this.#giveUp(modelId, pending, promise)
    return await promise
  }

  recordAnswer(gatewayId: string, { modelId, revocationId, isIdle }: Released): void {
    this.#silentFromMsByGateway.delete(gatewayId)
    const pending = this.#pendingById.get(modelId)
    if (pending?.revocationId !== revocationId) return
    if (!isIdle) pending.settle(false)
    else if (pending.unansweredIds.delete(gatewayId) && pending.unansweredIds.size === 0) {
      pending.settle(true)
    }
  }

  /** A gateway's connection ended, or a new one began. Its process may run on with an invocation under way. */
  recordReconnection(gatewayId: string): void {
    this.#silentFromMsByGateway.delete(gatewayId)
    for (const pending of this.#pendingById.values()) pending.settle(false)
  }

  /** A gateway asks for the model while others are asked to let go of it. */
  refuse(modelId: string): void {
    this.#pendingById.get(modelId)?.settle(false)
  }

  close(): void {
    this.#closing.abort()
  }

  async #giveUp(modelId: string, pending: Pending, answered: Promise<boolean>): Promise<void> {
    const end = new AbortController()
    void answered.then(() => end.abort())
    const signal = AbortSignal.any([end.signal, this.#closing.signal])
    await this.#world.sleep(ANSWER_MS_MAX, signal).catch(() => undefined)
    if (this.#pendingById.get(modelId) !== pending) return
    const nowMs = this.#world.nowMs()
    for (const id of pending.unansweredIds) {
      const silentFromMs = this.#silentFromMsByGateway.get(id) ?? nowMs - ANSWER_MS_MAX
      this.#silentFromMsByGateway.set(id, silentFromMs)
    }
    pending.settle(false)
  }

  #isSilent(gatewayId: string): boolean {
    const silentFromMs = this.#silentFromMsByGateway.get(gatewayId)
    return silentFromMs !== undefined && this.#world.nowMs() - silentFromMs >= SILENT_MS_MAX
  }
}
