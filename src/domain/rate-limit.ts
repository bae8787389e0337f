/** A resource that an instance holds while it runs. */
export interface ResourceNeed {
  readonly name: string
  /** One pool for all devices, apart from the pool of that name that a device has. */
  readonly isGlobal: boolean
  readonly count: number
}

/** What an instance needs to run, and how it is preferred. */
export interface RateLimits {
  readonly needs: readonly ResourceNeed[]
  /** An instance of priority 2 runs half as often as one of priority 1; 0 is 1. */
  readonly priority: number
}

/** An instance in front of the pool. */
export interface LimitedInstance {
  readonly limits: RateLimits
  /** How often it was run. */
  readonly executionCount: number
}

/**
 * The resources of the server and who holds them. Each is as large as it was set, or else as the largest need of any
 * instance that there is. Source: reference §6.5.
 */
export class ResourcePool {
  readonly #sizes: ReadonlyMap<string, number>
  readonly #members = new Set<LimitedInstance>()
  readonly #holders = new Set<LimitedInstance>()

  /** @param sizes by name, for the global pool and the device's alike. */
  constructor(sizes: ReadonlyMap<string, number>) {
    this.#sizes = sizes
  }

  /** Lets an instance ask. @returns why it could never run; undefined when it can. */
  join(instance: LimitedInstance): string | undefined {
    for (const { name, count } of instance.limits.needs) {
      const size = this.#sizes.get(name)
      if (size !== undefined && size < count) {
        return (
          `Resource count for "${name}" is limited to ${size} which will prevent scheduling of one or more model ` +
          `instances, the minimum required count is ${count}`
        )
      }
    }
    this.#members.add(instance)
    return undefined
  }

  /** Forgets an instance, and what it held. */
  leave(instance: LimitedInstance): void {
    this.#members.delete(instance)
    this.#holders.delete(instance)
  }

  /** Whether what an instance needs is there. */
  hasRoomFor({ limits }: LimitedInstance): boolean {
    return limits.needs.every((need) => this.#heldOf(need) + need.count <= this.#sizeOf(need))
  }

  /** Takes what an instance needs. There must be room. */
  take(instance: LimitedInstance): void {
    this.#holders.add(instance)
  }

  /** Gives back what an instance took. */
  giveBack(instance: LimitedInstance): void {
    this.#holders.delete(instance)
  }

  #sizeOf(need: ResourceNeed): number {
    const size = this.#sizes.get(need.name)
    return size ?? Math.max(0, ...countsOf(this.#members, need))
  }

  #heldOf(need: ResourceNeed): number {
    return countsOf(this.#holders, need).reduce((sum, count) => sum + count, 0)
  }
}

function countsOf(
  instances: Iterable<LimitedInstance>,
  { name, isGlobal }: ResourceNeed,
): readonly number[] {
  return [...instances].flatMap(({ limits }) =>
    limits.needs
      .filter((need) => need.name === name && need.isGlobal === isGlobal)
      .map(({ count }) => count),
  )
}

/**
 * Chooses which of those that wait runs next: the one that has run least for its priority, the first of equals. What one
 * waits for is not given to those after it, or one that needs much would never run.
 *
 * ```text
 * a ran 4 times at priority 1 → 4;  b ran 3 times at priority 2 → 6;  first comes a
 * ```
 *
 * @returns undefined when nothing that waits has room.
 */
export function chooseNextInstance<T extends LimitedInstance>(
  waiting: Iterable<T>,
  pool: Pick<ResourcePool, 'hasRoomFor'>,
): T | undefined {
  const inTurn = [...waiting].toSorted((a, b) => weightOf(a) - weightOf(b))
  const awaited = new Set<string>()
  for (const instance of inTurn) {
    const keys = instance.limits.needs.map(({ name, isGlobal }) => `${isGlobal}:${name}`)
    if (!keys.some((key) => awaited.has(key)) && pool.hasRoomFor(instance)) return instance
    for (const key of keys) awaited.add(key)
  }
  return undefined
}

function weightOf({ executionCount, limits }: LimitedInstance): number {
  return executionCount * Math.max(1, limits.priority)
}
