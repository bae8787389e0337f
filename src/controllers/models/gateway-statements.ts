import type { LoadedModel } from '../../domain/multi-model/model-messages.ts'
import type { ModelLink } from '../../ports/model-link.ts'
import type { HeldModels } from './model-instance.ts'

// A gateway tries to connect at least once a second. One that runs and does not come back is not waited for.
const AWAY_MS_MAX = 5_000
const POLL_MS = 20

/** What statements take from their surroundings. */
export interface GatewayStatementsOptions {
  readonly link: Pick<ModelLink, 'connectedGatewayIds' | 'hasGatewayAway'>
  readonly nowMs: () => number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/**
 * What gateways said they hold when this control began to listen: how it learns which models its predecessor had loaded.
 *
 * A model's id stands for one content of one target model, so what was said of it stays true for ever.
 */
export class GatewayStatements implements HeldModels {
  readonly #options: GatewayStatementsOptions
  readonly #modelsByGateway = new Map<string, ReadonlyMap<string, LoadedModel>>()
  #awayFromMs: number

  constructor(options: GatewayStatementsOptions) {
    this.#options = options
    this.#awayFromMs = options.nowMs()
  }

  record(gatewayId: string, models: readonly LoadedModel[]): void {
    const byKey = new Map(models.map((model) => [keyOf(model.instanceId, model.modelId), model]))
    this.#modelsByGateway.set(gatewayId, byKey)
  }

  recordLost(gatewayId: string): void {
    this.#modelsByGateway.delete(gatewayId)
    this.#awayFromMs = this.#options.nowMs()
  }

  isGatewayAway(): boolean {
    return this.#mayWait() && this.#options.link.hasGatewayAway()
  }

  async untilComplete(signal: AbortSignal): Promise<void> {
    while (this.#mayWait() && !this.#isComplete()) await this.#options.sleep(POLL_MS, signal)
  }

  find(instanceId: string, modelId: string): LoadedModel | undefined {
    const key = keyOf(instanceId, modelId)
    for (const models of this.#modelsByGateway.values()) {
      const model = models.get(key)
      if (model !== undefined) return model
    }
    return undefined
  }

  #isComplete(): boolean {
    const { link } = this.#options
    const hasStated = (gatewayId: string): boolean => this.#modelsByGateway.has(gatewayId)
    return !link.hasGatewayAway() && link.connectedGatewayIds().every(hasStated)
  }

  #mayWait(): boolean {
    return this.#options.nowMs() - this.#awayFromMs < AWAY_MS_MAX
  }
}

function keyOf(instanceId: string, modelId: string): string {
  return `${instanceId}\0${modelId}`
}
