import type { ModelAsk, ModelFailure } from '../../domain/multi-model/model-messages.ts'
import { ProcessBlame } from '../../domain/multi-model/process-blame.ts'
import type { BlamedModel, DeathSuspect } from '../../domain/multi-model/process-blame.ts'
import { Quarantine } from '../../domain/multi-model/quarantine.ts'
import type { HeldFailure } from '../../domain/multi-model/quarantine.ts'
import { DeathInquiry } from './death-inquiry.ts'
import type { DeathInquiryWorld } from './death-inquiry.ts'
import { blamedEvent, suspectedEvent } from './model-decisions.ts'
import type { HeldBackModels, ModelEvent, ProcessDeath } from './model-instance.ts'

/** What a fleet's deaths take from their surroundings. */
export interface ProcessDeathsWorld extends DeathInquiryWorld {
  readonly recordEvent: (event: ModelEvent) => void
  /** Takes a model from the instances that have it loaded. */
  readonly withdraw: (targetModel: string) => void
  readonly nowMs: () => number
}

/**
 * The models of one fleet that are left alone since processes keep ending beneath them. All instances share it: whoever is
 * started in the place of one that died would only be the next.
 */
export class ProcessDeaths implements HeldBackModels {
  readonly #world: ProcessDeathsWorld
  readonly #blame = new ProcessBlame()
  readonly #quarantine = new Quarantine<ModelFailure>()
  readonly #inquiries = new Map<DeathInquiry, Promise<void>>()
  /** While no process can be tried, waits do not pass. */
  #downSinceMs: number | undefined

  constructor(world: ProcessDeathsWorld) {
    this.#world = world
  }

  /** Why a model may not be used now, if it may not. */
  find(targetModel: string, nowMs: number): HeldFailure<ModelFailure> | undefined {
    return this.#quarantine.find(targetModel, nowMs)
  }

  /** All that may not be used now, by model. */
  list(nowMs: number): ReturnType<Quarantine<ModelFailure>['list']> {
    return this.#quarantine.list(nowMs)
  }

  /** Resolves when it is known of every death so far who is to be left alone for it: takes two seconds at most. */
  async untilJudged(): Promise<void> {
    await Promise.all(this.#inquiries.values())
  }

  /** A process of the fleet begins to serve. */
  recordServing(): void {
    if (this.#downSinceMs === undefined) return
    this.#quarantine.beginAgain(this.#downSinceMs, this.#world.nowMs())
    this.#downSinceMs = undefined
  }

  recordDeath(death: ProcessDeath): void {
    if (death.wasLast) this.#downSinceMs ??= this.#world.nowMs()
    const inquiry = new DeathInquiry(death.instanceId, this.#world)
    const judged = inquiry.run().then((answeredByModel) => {
      this.#inquiries.delete(inquiry)
      this.#judge(death, answeredByModel)
    })
    this.#inquiries.set(inquiry, judged)
  }

  recordAnswer(gatewayId: string, ask: Extract<ModelAsk, { kind: 'models-cut' }>): void {
    for (const inquiry of this.#inquiries.keys()) {
      if (inquiry.instanceId === ask.instanceId) inquiry.recordAnswer(gatewayId, ask.models)
    }
  }

  recordLost(gatewayId: string): void {
    for (const inquiry of this.#inquiries.keys()) inquiry.recordLost(gatewayId)
  }

  #judge(death: ProcessDeath, answeredByModel: ReadonlyMap<string, number>): void {
    const suspects = suspectsOf(death, answeredByModel)
    if (suspects.length === 0) return
    const nowMs = this.#world.nowMs()
    this.#world.recordEvent(suspectedEvent(death, suspects))
    const { blamed, cleared } = this.#blame.recordDeath(suspects, nowMs)
    for (const model of cleared) this.#quarantine.recordSuccess(model)
    for (const one of blamed) {
      const reason = failureOf(one, death)
      const { model: targetModel, deathCount: failureCount, waitMs } = one
      const backOff = { failureCount, failedAtMs: nowMs, notBeforeMs: nowMs + waitMs }
      this.#quarantine.hold(targetModel, { kind: 'deadly', reason, backOff })
      this.#world.withdraw(targetModel)
      this.#world.recordEvent(blamedEvent(death, one, suspects))
    }
  }
}

function suspectsOf(
  { loading }: ProcessDeath,
  answeredByModel: ReadonlyMap<string, number>,
): readonly DeathSuspect[] {
  const models = new Set([...loading, ...answeredByModel.keys()])
  return [...models].map((model) => ({ model, answeredCount: answeredByModel.get(model) ?? 0 }))
}

function failureOf(
  { model, deathCount, otherCount }: BlamedModel,
  { how }: ProcessDeath,
): ModelFailure {
  const what = `Model ${model} is left alone: the last ${deathCount} processes that it shared with other models ended while it was loaded or answering; the last one ${how}.`
  const others = ` The same is true of ${otherCount} of the others: which one it is shows when they are used apart.`
  const message = otherCount === 0 ? what : `${what}${others}`
  return {
    code: 'ModelError',
    message,
    members: { OriginalStatusCode: 0, OriginalMessage: message },
  }
}
