import { availableParallelism } from 'node:os'
import { chooseNextInstance, ResourcePool } from '../../domain/rate-limit.ts'
import type { LimitedInstance, RateLimits } from '../../domain/rate-limit.ts'
import { ReplyPolling } from '../../platform/reply-polling.ts'
import type { ModelInstance } from './backend.ts'
import type { InstanceGroup } from './model-config.ts'
import { ServingError } from './serving-error.ts'

/** An instance as schedulers have it. */
export interface Seat extends LimitedInstance {
  readonly instance: ModelInstance
  /** Its place among the instances of its model. */
  readonly index: number
  readonly limits: RateLimits
  executionCount: number
  /** Undefined where there is no core to spare. */
  readonly polling: ReplyPolling | undefined
  /** How long the model itself took the last time, in microseconds; infinite before that. */
  lastRunUs: number
}

/** The seats of a version: each instance with the limits of its group. */
export function createSeats(
  instances: readonly ModelInstance[],
  groups: readonly InstanceGroup[],
): readonly Seat[] {
  const limits = groups.flatMap(({ count, limits: one }) =>
    Array.from({ length: count }, () => one),
  )
  return instances.map((instance, index) => {
    const own = limits[index] ?? { needs: [], priority: 0 }
    const polling = availableParallelism() > 1 ? new ReplyPolling() : undefined
    return { instance, index, limits: own, executionCount: 0, polling, lastRunUs: Infinity }
  })
}

/** Says when an instance that has something to run may. */
export interface Turns {
  /** @throws ServingError INVALID_ARG: one of them could never run. */
  join(seats: readonly Seat[]): void
  quit(seats: readonly Seat[]): void
  /** @returns whether its turn is now; else it is called when it is. */
  enter(seat: Seat, onTurn: () => void): boolean
  /**
   * It has run, or has nothing to run after all.
   *
   * @param askAgain lets it line up with the others for its next turn, before anyone gets what it had.
   */
  leave(seat: Seat, askAgain: () => void): void
}

/** Every instance runs when it is free. */
export const UNLIMITED: Turns = {
  join: () => undefined,
  quit: () => undefined,
  enter: () => true,
  leave: (_seat, askAgain) => askAgain(),
}

/** Lets instances of all models run as their resources and priorities say. */
export class RateLimiter implements Turns {
  readonly #pool: ResourcePool
  readonly #waiting = new Map<Seat, () => void>()

  /** @param sizes of resources that were set, by name. */
  constructor(sizes: ReadonlyMap<string, number>) {
    this.#pool = new ResourcePool(sizes)
  }

  join(seats: readonly Seat[]): void {
    for (const seat of seats) {
      const problem = this.#pool.join(seat)
      if (problem === undefined) continue
      this.quit(seats)
      throw new ServingError('INVALID_ARG', problem)
    }
  }

  quit(seats: readonly Seat[]): void {
    for (const seat of seats) {
      this.#waiting.delete(seat)
      this.#pool.leave(seat)
    }
    this.#admit()
  }

  enter(seat: Seat, onTurn: () => void): boolean {
    if (seat.limits.needs.length === 0) return true
    this.#waiting.set(seat, onTurn)
    if (chooseNextInstance(this.#waiting.keys(), this.#pool) !== seat) return false
    this.#seat(seat)
    return true
  }

  leave(seat: Seat, askAgain: () => void): void {
    this.#pool.giveBack(seat)
    askAgain()
    this.#admit()
  }

  #seat(seat: Seat): void {
    this.#waiting.delete(seat)
    this.#pool.take(seat)
  }

  #admit(): void {
    for (;;) {
      const next = chooseNextInstance(this.#waiting.keys(), this.#pool)
      if (next === undefined) return
      const onTurn = this.#waiting.get(next)
      this.#seat(next)
      onTurn?.()
    }
  }
}
