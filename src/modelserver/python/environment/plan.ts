/** What is known of an environment that may be removed. */
export interface KnownEnvironment {
  readonly key: string
  readonly lastUsedMs: number
  /** 0 where no limit asks for it. */
  readonly bytes: number
}

/** How long, and how much, environments are kept that nobody uses. */
export interface RemovalLimits {
  /** Not used for so long; infinite for never. */
  readonly unusedMsMax: number
  /** All together, of those in use too; infinite for any number. */
  readonly bytesMax: number
}

const DAY_MS = 86_400_000

/** Limits as operators set them; 0 for none. */
export function toRemovalLimits(unusedDaysMax: number, megabytesMax: number): RemovalLimits {
  return {
    unusedMsMax: unusedDaysMax === 0 ? Infinity : unusedDaysMax * DAY_MS,
    bytesMax: megabytesMax === 0 ? Infinity : megabytesMax * 2 ** 20,
  }
}

/**
 * Plans which environments to remove, the one that was used least recently first: those that nobody has used for too long,
 * and more until the rest is small enough. Whether one is in use is seen when it is its turn.
 */
export function planRemoval(
  environments: readonly KnownEnvironment[],
  { unusedMsMax, bytesMax }: RemovalLimits,
  nowMs: number,
): readonly KnownEnvironment[] {
  const oldestFirst = environments.toSorted((a, b) => a.lastUsedMs - b.lastUsedMs)
  let bytes = environments.reduce((sum, environment) => sum + environment.bytes, 0)
  return oldestFirst.filter((environment) => {
    if (nowMs - environment.lastUsedMs <= unusedMsMax && bytes <= bytesMax) return false
    bytes -= environment.bytes
    return true
  })
}
