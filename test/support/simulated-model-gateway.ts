import type { EndpointRoute } from '../../src/domain/routes.ts'
import type { ModelAsk, ModelNews } from '../../src/domain/multi-model/model-messages.ts'
import { Admission } from '../../src/gateway/admission.ts'
import { Deadline } from '../../src/gateway/deadline.ts'
import type { ForwardOutcome } from '../../src/gateway/forward.ts'
import { forwardToModel } from '../../src/gateway/models/forward-to-model.ts'
import type { Enter } from '../../src/gateway/models/forward-to-model.ts'
import { ModelDirectory } from '../../src/gateway/models/model-directory.ts'
import { ModelLanes } from '../../src/gateway/models/model-lanes.ts'
import type { Runner, SimulatedModelContainer } from './simulated-model-container.ts'
import type { LinkEnd, SimulatedModelLink } from './simulated-model-link.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** What a gateway of the simulation works with. */
export interface SimulatedModelGatewayOptions {
  readonly gatewayId: string
  readonly time: SimulatedTime
  readonly random: () => number
  readonly container: SimulatedModelContainer
  readonly route: EndpointRoute
  /** Undefined while control is away. */
  readonly findLink: () => SimulatedModelLink | undefined
  readonly modelCount: number
  /** No calls begin after that. */
  readonly callsUntilMs: number
  readonly untilMs: number
}

const RECONNECT_MS_MAX = 500
const REMIND_MS = 250
const PAUSE_MS_MAX = 20
const NOT_LOADED = { kind: 'refused-by-model', statusCode: 404, body: undefined } as const

/** A gateway's lanes of models with callers of its own, until it is killed. */
export class SimulatedModelGateway implements LinkEnd, Runner {
  readonly gatewayId: string
  /** What callers got that they should not have. */
  readonly wrongs: string[] = []
  okCount = 0
  waitMsMax = 0
  isAlive = true
  readonly #options: SimulatedModelGatewayOptions
  readonly #directory: ModelDirectory
  readonly #lanes: ModelLanes
  readonly #waiting = new Map<number, string>()
  #ask: ((ask: ModelAsk) => void) | undefined
  #callNumber = 0

  constructor(options: SimulatedModelGatewayOptions) {
    this.#options = options
    this.gatewayId = options.gatewayId
    const { time, random, route } = options
    const nowMs = (): number => time.nowMs()
    const limits = { waitingMax: 1_000, unreadyWaitMs: 5_000, clock: time, nowMs }
    const admission = new Admission({
      ...limits,
      slotsPerInstance: 4,
      invocationTimeoutMs: 60_000,
      objectiveMs: 0,
      shedding: 'off',
      random,
      onInstanceFree: () => undefined,
    })
    this.#directory = new ModelDirectory({ ask: (ask) => this.#ask?.(ask), nowMs })
    this.#lanes = new ModelLanes({ ...limits, admission, directory: this.#directory })
    admission.applyRoute(undefined, route)
    this.#lanes.applyRoute(undefined, route)
  }

  /** Calls that have no answer. */
  get waiting(): readonly string[] {
    return [...this.#waiting.values()]
  }

  start(callerCount: number): void {
    this.#connectSoon()
    this.#remindLater()
    for (let caller = 0; caller < callerCount; caller += 1) void this.#runCaller()
  }

  kill(): void {
    this.isAlive = false
  }

  hear(news: ModelNews): void {
    this.#directory.apply(news)
  }

  onCut(): void {
    this.#ask = undefined
    this.#connectSoon()
  }

  #connectSoon(): void {
    this.#later(this.#options.random() * RECONNECT_MS_MAX, () => {
      const link = this.#options.findLink()
      if (link === undefined) this.#connectSoon()
      else this.#ask = link.connect(this)
    })
  }

  #remindLater(): void {
    this.#later(REMIND_MS, () => {
      const uses = this.#directory.takeUses()
      if (uses !== undefined) this.#ask?.({ kind: 'models-used', uses, counters: [] })
      this.#directory.remind()
      this.#remindLater()
    })
  }

  async #runCaller(): Promise<void> {
    const { time, random, callsUntilMs } = this.#options
    while (this.isAlive && time.nowMs() < callsUntilMs) {
      await new Promise<void>((resolve) => time.at(time.nowMs() + random() * PAUSE_MS_MAX, resolve))
      if (this.isAlive) await this.#call(`m${this.#drawModel()}`)
    }
  }

  // The first ones are asked for more often.
  #drawModel(): number {
    const { random, modelCount } = this.#options
    return Math.floor(random() ** 2 * modelCount)
  }

  async #call(targetModel: string): Promise<void> {
    const fromMs = this.#options.time.nowMs()
    this.#callNumber += 1
    const number = this.#callNumber
    this.#waiting.set(number, `${targetModel} since ${Math.round(fromMs)} ms`)
    try {
      await this.#invoke(targetModel)
    } catch (error) {
      if (this.isAlive)
        this.wrongs.push(`${targetModel} at ${Math.round(fromMs)} ms: ${String(error)}`)
    }
    this.#waiting.delete(number)
    if (this.isAlive) {
      this.waitMsMax = Math.max(this.waitMsMax, this.#options.time.nowMs() - fromMs)
    }
  }

  async #invoke(targetModel: string): Promise<void> {
    // Nobody gives up here: its timer, of real time, is taken away.
    const deadline = new Deadline(60_000)
    deadline[Symbol.dispose]()
    let answeredBy: string | undefined
    const forward = async (enter: Enter): Promise<ForwardOutcome> => {
      using slot = await enter(undefined)
      answeredBy = await this.#options.container.invoke(slot.model?.modelId ?? '', this)
      return answeredBy === undefined ? NOT_LOADED : { kind: 'replied' }
    }
    const head = { endpointName: this.#options.route.endpointName, targetModel }
    const invocation = { head, variantName: 'AllTraffic', requestId: '1', deadline }
    const outcome = await forwardToModel(invocation, this.#lanes, forward)
    if (outcome.kind !== 'replied') throw new Error(`ended as ${JSON.stringify(outcome)}`)
    if (answeredBy !== targetModel) throw new Error(`answered by ${answeredBy}`)
    if (this.isAlive) this.okCount += 1
  }

  #later(delayMs: number, happen: () => void): void {
    const { time, untilMs } = this.#options
    if (time.nowMs() + delayMs > untilMs) return
    time.at(time.nowMs() + delayMs, () => {
      if (this.isAlive) happen()
    })
  }
}
