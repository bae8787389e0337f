import { BerthError } from '../../src/domain/errors.ts'
import { Admission } from '../../src/gateway/admission.ts'
import type { Slot } from '../../src/gateway/admission.ts'
import { Deadline } from '../../src/gateway/deadline.ts'
import type { SimulatedContainer } from './simulated-container.ts'
import { endOfWorkMs, nextEventMs, seededRandom, SimulatedTime } from './simulated-time.ts'
import type { Pause } from './simulated-time.ts'

/** What is simulated. */
export interface Simulation {
  readonly container: SimulatedContainer
  readonly objectiveMs: number
  readonly shedding?: 'on' | 'off'
  /** Arrivals in a millisecond. */
  readonly rate: (nowMs: number) => number
  /** No arrivals after that. */
  readonly untilMs: number
  readonly seed: number
  /** How many times longer the container needs. */
  readonly slowness?: (nowMs: number) => number
  readonly containerPauses?: readonly Pause[]
  /** What arrives or is answered meanwhile is noticed afterwards. */
  readonly gatewayPauses?: readonly Pause[]
}

/** What became of one invocation. */
export interface SimulatedCall {
  readonly dueAtMs: number
  /** When the gateway saw it: late when it stood still. */
  readonly askedAtMs: number
  readonly endedAtMs: number
  readonly isAnswered: boolean
}

/** One instance behind the gateway's own admission, in simulated time. @returns the calls in the order of their ends. */
export async function simulate(simulation: Simulation): Promise<readonly SimulatedCall[]> {
  const world = new SimulatedGateway(simulation)
  await world.run()
  return world.calls
}

class SimulatedGateway {
  readonly calls: SimulatedCall[] = []
  readonly #simulation: Simulation
  readonly #time = new SimulatedTime()
  readonly #random: () => number
  readonly #admission: Admission
  readonly #invokeContainer: (answered: () => void) => void
  #waitingCount = 0

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#random = seededRandom(simulation.seed)
    const work = (workMs: number, done: () => void): void => this.#work(workMs, done)
    this.#invokeContainer = simulation.container({ random: this.#random, work })
    const { objectiveMs, shedding = 'on' } = simulation
    this.#admission = new Admission({
      slotsPerInstance: 64,
      waitingMax: 100,
      unreadyWaitMs: 5_000,
      invocationTimeoutMs: 60_000,
      objectiveMs,
      shedding,
      clock: this.#time,
      nowMs: () => this.#time.nowMs(),
      random: this.#random,
      onInstanceFree: () => undefined,
    })
    this.#admission.applyRoute(undefined, ROUTE)
  }

  async run(): Promise<void> {
    this.#arriveFrom(0)
    await this.#time.run(() => this.#waitingCount === 0)
    this.#admission.close()
  }

  #arriveFrom(atMs: number): void {
    const { rate, untilMs } = this.#simulation
    if (atMs >= untilMs) return
    this.#time.at(atMs, () => {
      this.#whenAwake(() => this.#ask(atMs))
      this.#arriveFrom(atMs + nextEventMs(1 / rate(atMs), this.#random))
    })
  }

  #ask(dueAtMs: number): void {
    const askedAtMs = this.#time.nowMs()
    const end = (isAnswered: boolean): void => {
      this.calls.push({ dueAtMs, askedAtMs, endedAtMs: this.#time.nowMs(), isAnswered })
    }
    const slot = this.#enter()
    if (slot === undefined) end(false)
    else if (slot instanceof Promise) void this.#wait(slot, end)
    else this.#forward(slot, end)
  }

  // Undefined when it is refused.
  #enter(): Slot | Promise<Slot> | undefined {
    const names = { endpointName: 'e', variantName: 'v', avoidInstanceId: undefined }
    // Nobody gives up here: its timer, of real time, is taken away.
    const deadline = new Deadline(60_000)
    deadline[Symbol.dispose]()
    try {
      return this.#admission.enter({ ...names, deadline })
    } catch (error) {
      if (error instanceof BerthError) return undefined
      throw error
    }
  }

  async #wait(slot: Promise<Slot>, end: (isAnswered: boolean) => void): Promise<void> {
    this.#waitingCount += 1
    const admitted = await slot.catch(() => undefined)
    this.#waitingCount -= 1
    if (admitted === undefined) end(false)
    else this.#forward(admitted, end)
  }

  #forward(slot: Slot, end: (isAnswered: boolean) => void): void {
    this.#invokeContainer(() =>
      this.#whenAwake(() => {
        slot.recordReply()
        end(true)
        slot[Symbol.dispose]()
      }),
    )
  }

  #work(workMs: number, done: () => void): void {
    const { slowness, containerPauses = [] } = this.#simulation
    const nowMs = this.#time.nowMs()
    this.#time.at(endOfWorkMs(nowMs, workMs * (slowness?.(nowMs) ?? 1), containerPauses), done)
  }

  #whenAwake(happen: () => void): void {
    this.#time.at(endOfWorkMs(this.#time.nowMs(), 0, this.#simulation.gatewayPauses ?? []), happen)
  }
}

const ROUTE = {
  endpointName: 'e',
  variants: [
    {
      variantName: 'v',
      weight: 1,
      routingStrategy: 'LEAST_OUTSTANDING_REQUESTS',
      containerHostname: 'primary',
      instances: [{ instanceId: 'a', address: { kind: 'socket', path: '/a' } }],
    },
  ],
} as const
