import type { ModelAsk, ModelNews } from '../domain/multi-model/model-messages.ts'

/** What is heard of gateways that use models of multi-model endpoints. */
export interface ModelLinkListener {
  /** A connection of it begins. */
  readonly onGateway: (gatewayId: string) => void
  /** Its connection ended; it may run on and come back. */
  readonly onGatewayLost: (gatewayId: string) => void
  readonly onAsk: (gatewayId: string, ask: ModelAsk) => void
}

/** How whoever owns the models of multi-model endpoints speaks with the gateways. */
export interface ModelLink {
  connectedGatewayIds(): readonly string[]
  /** Whether a gateway runs that is not connected. */
  hasGatewayAway(): boolean
  /** Does nothing when the gateway is not connected. */
  tell(gatewayId: string, news: ModelNews): void
  tellAll(news: ModelNews): void
  /** Announces the gateways that are connected already, too. @returns what ends the listening. */
  listen(listener: ModelLinkListener): () => void
}
