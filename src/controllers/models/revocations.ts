import type { ModelNews } from '../../domain/multi-model/model-messages.ts'

// A gateway answers in a millisecond. One that hangs is taken to use the model.
const ANSWER_MS_MAX = 2_000

/** How gateways are asked. */
export interface RevocationsWorld {
  readonly connectedGatewayIds: () => readonly string[]
  readonly tell: (gatewayId: string, news: ModelNews) => void
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

interface Pending {
  readonly unansweredIds: Set<string>
  readonly resolve: (isIdle: boolean) => void
}

/** Asks every gateway to let go of a model of one instance: nothing that is in use is taken away. */
export class Revocations {
  readonly #instanceId: string
  readonly #world: RevocationsWorld
  readonly #pendingById = new Map<string, Pending>()
  readonly #closing = new AbortController()

  constructor(instanceId: string, world: RevocationsWorld) {
    this.#instanceId = instanceId
    this.#world = world
  }

  /** @returns whether no gateway uses the model, and none will until it is told of it again. */
  async revoke(modelId: string): Promise<boolean> {
    if (this.#pendingById.has(modelId)) return false
    const gatewayIds = this.#world.connectedGatewayIds()
    if (gatewayIds.length === 0) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#pendingById.set(modelId, { unansweredIds: new Set(gatewayIds), resolve })
    for (const gatewayId of gatewayIds) {
      this.#world.tell(gatewayId, { kind: 'model-revoked', instanceId: this.#instanceId, modelId })
    }
    const answered = new AbortController()
    const signal = AbortSignal.any([answered.signal, this.#closing.signal])
    this.#world.sleep(ANSWER_MS_MAX, signal).then(
      () => resolve(false),
      () => resolve(false),
    )
    try {
      return await promise
    } finally {
      answered.abort()
      this.#pendingById.delete(modelId)
    }
  }

  recordAnswer(gatewayId: string, modelId: string, isIdle: boolean): void {
    const pending = this.#pendingById.get(modelId)
    if (pending === undefined) return
    pending.unansweredIds.delete(gatewayId)
    if (!isIdle) pending.resolve(false)
    else if (pending.unansweredIds.size === 0) pending.resolve(true)
  }

  close(): void {
    this.#closing.abort()
  }
}
