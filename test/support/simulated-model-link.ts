import type { ModelAsk, ModelNews } from '../../src/domain/multi-model/model-messages.ts'
import type { ModelLink, ModelLinkListener } from '../../src/ports/model-link.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** The gateway's end. */
export interface LinkEnd {
  readonly gatewayId: string
  readonly isAlive: boolean
  readonly hear: (news: ModelNews) => void
  /** Its connection ended. */
  readonly onCut: () => void
}

const DELAY_MS_MAX = 5

/** One direction of one connection: in order, late, several messages at once; what is under way when it is cut is lost. */
class Pipe<Message> {
  readonly #time: SimulatedTime
  readonly #random: () => number
  readonly #hear: (message: Message) => void
  #underWay: Message[] = []
  #isCut = false

  constructor(time: SimulatedTime, random: () => number, hear: (message: Message) => void) {
    this.#time = time
    this.#random = random
    this.#hear = hear
  }

  send(message: Message): void {
    this.#underWay.push(message)
    if (this.#underWay.length > 1) return
    this.#time.at(this.#time.nowMs() + this.#random() * DELAY_MS_MAX, () => {
      const chunk = this.#underWay
      this.#underWay = []
      for (const message of chunk) {
        if (!this.#isCut) this.#hear(message)
      }
    })
  }

  cut(): void {
    this.#isCut = true
  }
}

interface Connection {
  readonly end: LinkEnd
  readonly news: Pipe<ModelNews>
  readonly asks: Pipe<ModelAsk>
}

/** The link of one control process to its gateways, in simulated time. */
export class SimulatedModelLink implements ModelLink {
  readonly #time: SimulatedTime
  readonly #random: () => number
  readonly #ends: () => readonly LinkEnd[]
  readonly #connectionById = new Map<string, Connection>()
  #listener: ModelLinkListener | undefined
  #isCut = false

  /** @param ends the gateways there are, connected or not. */
  constructor(time: SimulatedTime, random: () => number, ends: () => readonly LinkEnd[]) {
    this.#time = time
    this.#random = random
    this.#ends = ends
  }

  /** @returns how the gateway asks on the new connection. */
  connect(end: LinkEnd): (ask: ModelAsk) => void {
    const { gatewayId } = end
    const asks = new Pipe<ModelAsk>(this.#time, this.#random, (ask) =>
      this.#listener?.onAsk(gatewayId, ask),
    )
    const news = new Pipe<ModelNews>(this.#time, this.#random, (said) => {
      if (end.isAlive) end.hear(said)
    })
    this.#connectionById.set(gatewayId, { end, news, asks })
    this.#listener?.onGateway(gatewayId)
    return (ask) => asks.send(ask)
  }

  /** A connection breaks; each side notices on its own. */
  disconnect(gatewayId: string): void {
    const connection = this.#connectionById.get(gatewayId)
    if (connection === undefined) return
    connection.news.cut()
    connection.asks.cut()
    this.#soon(() => connection.end.onCut())
    this.#soon(() => {
      if (this.#isCut || this.#connectionById.get(gatewayId) !== connection) return
      this.#connectionById.delete(gatewayId)
      this.#listener?.onGatewayLost(gatewayId)
    })
  }

  /** The control process is gone. */
  cut(): void {
    this.#isCut = true
    for (const gatewayId of this.#connectionById.keys()) this.disconnect(gatewayId)
  }

  connectedGatewayIds(): readonly string[] {
    return [...this.#connectionById.keys()]
  }

  hasGatewayAway(): boolean {
    return this.#ends().some(
      ({ gatewayId, isAlive }) => isAlive && !this.#connectionById.has(gatewayId),
    )
  }

  tell(gatewayId: string, news: ModelNews): void {
    if (!this.#isCut) this.#connectionById.get(gatewayId)?.news.send(news)
  }

  tellAll(news: ModelNews): void {
    for (const gatewayId of this.#connectionById.keys()) this.tell(gatewayId, news)
  }

  listen(listener: ModelLinkListener): () => void {
    this.#listener = listener
    for (const gatewayId of this.#connectionById.keys()) listener.onGateway(gatewayId)
    return () => undefined
  }

  #soon(happen: () => void): void {
    this.#time.at(this.#time.nowMs() + this.#random() * DELAY_MS_MAX, happen)
  }
}
