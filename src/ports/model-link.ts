import type { ModelAsk, ModelNews } from '../domain/multi-model/model-messages.ts'

/** What is heard of gateways that use models of multi-model endpoints. */
export interface ModelLinkListener {
  /** It knows nothing yet of what is loaded. */
  readonly onGateway: (gatewayId: string) => void
  /** Its connection ended; it may run on and come back. */
  readonly onGatewayLost: (gatewayId: string) => void
  readonly onAsk: (gatewayId: string, ask: ModelAsk) => void
}

/** How whoever owns the models of multi-model endpoints speaks with the gateways. */
export interface ModelLink {
  connectedGatewayIds(): readonly string[]
  /** Does nothing when the gateway is not connected. */
  tell(gatewayId: string, news: ModelNews): void
  tellAll(news: ModelNews): void
  /** @returns what ends the listening. Gateways connected by then are not announced. */
  listen(listener: ModelLinkListener): () => void
}
