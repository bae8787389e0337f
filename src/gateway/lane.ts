import { decideAdmission, isTimely } from '../domain/admission.ts'
import type { AdmissionVerdict } from '../domain/admission.ts'
import { chooseInstance } from '../domain/choose.ts'
import type { InstanceLoad } from '../domain/choose.ts'
import { LineDiscipline } from '../domain/line-discipline.ts'
import type { LineOrder } from '../domain/line-discipline.ts'
import type { InstanceRoute, RoutePart } from '../domain/routes.ts'
import type { ServiceTime } from '../domain/service-time.ts'

// Of invocations that are admitted although they are believed to be late: few enough to cost next to nothing.
const PROBE_INTERVALS = 8
const PROBE_INTERVAL_MS_MIN = 200

/** What this gateway has outstanding on one instance; outlives the instance's route until that is nothing. */
export interface InstanceUse extends InstanceLoad {
  /** As the route has it now. */
  instance: InstanceRoute
  readonly service: ServiceTime
  outstandingCount: number
  suspectUntilMs: number
  /** Undefined once the instance has left the routes. */
  lane: Lane | undefined
}

/** Why a waiter gets no slot. */
export type WaiterFailure =
  | 'variant-removed'
  /** Its answer would come too late by now. */
  | 'too-late'
  /** The line does not drain, and it is one of the oldest. */
  | 'stale'

/** One invocation in a waiting line. */
export interface Waiter {
  readonly avoidInstanceId: string | undefined
  readonly joinedAtMs: number
  readonly admit: (use: InstanceUse) => void
  readonly fail: (reason: WaiterFailure) => void
}

/** What a lane is made of. */
export interface LaneOptions {
  readonly waitingMax: number
  /** Within which answers are useful; infinite when nothing is to be shed. */
  readonly usefulMs: number
  readonly random: () => number
}

/**
 * The instances of one part of a route and the invocations that wait for a slot on them: in the order of arrival, or the newest
 * first while the line does not drain.
 *
 * Times are of one clock, the caller's.
 */
export class Lane {
  readonly #options: LaneOptions
  readonly #discipline: LineDiscipline
  // An array: it is short (`waitingMax`), and both ends are taken from.
  readonly #waiters: Waiter[] = []
  #part: RoutePart
  #uses: readonly InstanceUse[] = []
  #probedAtMs = -Infinity
  #isRefusing = false

  constructor(part: RoutePart, options: LaneOptions) {
    this.#part = part
    this.#options = options
    this.#discipline = new LineDiscipline(options.usefulMs)
  }

  get waitingCount(): number {
    return this.#waiters.length
  }

  get uses(): readonly InstanceUse[] {
    return this.#uses
  }

  get part(): RoutePart {
    return this.#part
  }

  /** Whether the last invocation that asked was rejected: the next one is worth asking about before its body is read. */
  get isRefusing(): boolean {
    return this.#isRefusing
  }

  /** It has another weight, strategy or set of instances. */
  update(part: RoutePart, uses: readonly InstanceUse[]): void {
    this.#part = part
    this.#uses = uses
  }

  /** What would become of an invocation. Changes nothing that others see. */
  decide(avoidInstanceId: string | undefined, nowMs: number): AdmissionVerdict<InstanceUse> {
    const { waitingMax, usefulMs, random } = this.#options
    const line = { waitingCount: this.#waiters.length, waitingMax }
    const isProbe = nowMs - this.#probedAtMs > this.#probeIntervalMs
    const strategy = this.#part.routingStrategy
    const rule = { strategy, avoidInstanceId, nowMs, usefulMs, isProbe }
    const verdict = decideAdmission(this.#uses, line, rule, random())
    this.#isRefusing = verdict.kind === 'rejected'
    return verdict
  }

  /** An invocation is given to the instance. */
  recordAdmitted(use: InstanceUse, nowMs: number): void {
    // Whether it was meant as a probe or not: it shows how long one takes behind so many.
    if (!isTimely(use, this.#options.usefulMs)) this.#probedAtMs = nowMs
  }

  join(waiter: Waiter): void {
    this.#discipline.observe(this.#longestWaitMs(waiter.joinedAtMs), waiter.joinedAtMs)
    this.#waiters.push(waiter)
  }

  leave(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter)
    if (index >= 0) this.#waiters.splice(index, 1)
  }

  /** Gives free slots to those who wait, and up those who have waited too long. */
  admitWaiting(nowMs: number): void {
    const order = this.#discipline.observe(this.#longestWaitMs(nowMs), nowMs)
    for (;;) {
      const waiter = order === 'last-come' ? this.#waiters.at(-1) : this.#waiters[0]
      if (waiter === undefined) return
      const strategy = this.#part.routingStrategy
      const rule = { strategy, avoidInstanceId: waiter.avoidInstanceId, nowMs }
      const use = chooseInstance(this.#uses, rule, this.#options.random())
      if (use === undefined) break
      this.leave(waiter)
      if (isTimely(use, this.#options.usefulMs, nowMs - waiter.joinedAtMs)) waiter.admit(use)
      else waiter.fail('too-late')
    }
    this.#giveUpStale(order, nowMs)
  }

  /** The part is gone: nobody who waits for it can be admitted. */
  close(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.fail('variant-removed')
  }

  // One always stays, so that the next free slot finds somebody.
  #giveUpStale(order: LineOrder, nowMs: number): void {
    if (order === 'first-come') return
    while (this.#waiters.length > 1 && this.#discipline.isStale(this.#longestWaitMs(nowMs) ?? 0)) {
      this.#waiters.shift()?.fail('stale')
    }
  }

  #longestWaitMs(nowMs: number): number | undefined {
    const [oldest] = this.#waiters
    return oldest === undefined ? undefined : nowMs - oldest.joinedAtMs
  }

  get #probeIntervalMs(): number {
    return Math.max(PROBE_INTERVAL_MS_MIN, PROBE_INTERVALS * this.#options.usefulMs)
  }
}
