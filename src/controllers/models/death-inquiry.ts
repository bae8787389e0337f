import type { CutModel, ModelNews } from '../../domain/multi-model/model-messages.ts'

// A gateway answers in a millisecond. What one that does not had under way stays unknown.
const ANSWER_MS_MAX = 2_000

/** How gateways are asked. */
export interface DeathInquiryWorld {
  readonly connectedGatewayIds: () => readonly string[]
  readonly tell: (gatewayId: string, news: ModelNews) => void
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** Asks every gateway, once, what it had under way at an instance whose process has ended. */
export class DeathInquiry {
  readonly instanceId: string
  readonly #world: DeathInquiryWorld
  readonly #unansweredIds: Set<string>
  readonly #answeredByModel = new Map<string, number>()
  readonly #complete = new AbortController()

  constructor(instanceId: string, world: DeathInquiryWorld) {
    this.instanceId = instanceId
    this.#world = world
    this.#unansweredIds = new Set(world.connectedGatewayIds())
  }

  /** @returns the models that were under way, with how many invocations of each the process had answered. */
  async run(): Promise<ReadonlyMap<string, number>> {
    const { instanceId } = this
    for (const id of this.#unansweredIds) {
      this.#world.tell(id, { kind: 'models-ended', instanceId })
    }
    this.#endIfComplete()
    try {
      await this.#world.sleep(ANSWER_MS_MAX, this.#complete.signal)
    } catch {
      // All have answered.
    }
    return this.#answeredByModel
  }

  recordAnswer(gatewayId: string, models: readonly CutModel[]): void {
    if (!this.#unansweredIds.delete(gatewayId)) return
    for (const { targetModel, answeredCount } of models) {
      const before = this.#answeredByModel.get(targetModel) ?? 0
      this.#answeredByModel.set(targetModel, before + answeredCount)
    }
    this.#endIfComplete()
  }

  /** A gateway's connection ended: it will not answer. */
  recordLost(gatewayId: string): void {
    this.#unansweredIds.delete(gatewayId)
    this.#endIfComplete()
  }

  #endIfComplete(): void {
    if (this.#unansweredIds.size === 0) this.#complete.abort()
  }
}
