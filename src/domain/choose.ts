import type { RoutingStrategy } from './endpoint-config.ts'

/** What choosing a variant looks at. */
export interface WeightedVariant {
  readonly variantName: string
  /** Relative share, ≥ 0. */
  readonly weight: number
}

/**
 * The variant an invocation goes to: the target variant when the caller named one, whatever its weight, else one by
 * weight.
 *
 * Health is no argument: a variant whose instances are all gone keeps its share, so that an A/B test is not
 * distorted by a crash; its invocations wait for a replacement instead.
 *
 * ```text
 * weights 3, 1, 0 → random 0.00…0.74 the first, 0.75…0.99 the second, the third only when targeted
 * ```
 *
 * @param random in [0, 1)
 * @returns undefined when the target variant does not exist or no variant has a weight.
 */
export function chooseVariant<V extends WeightedVariant>(
  variants: readonly V[],
  targetVariant: string | undefined,
  random: number,
): V | undefined {
  if (targetVariant !== undefined) {
    return variants.find((variant) => variant.variantName === targetVariant)
  }
  const weighted = variants.filter((variant) => variant.weight > 0)
  const weightSum = weighted.reduce((sum, variant) => sum + variant.weight, 0)
  let remaining = random * weightSum
  for (const variant of weighted) {
    remaining -= variant.weight
    if (remaining < 0) return variant
  }
  // Rounding may leave a remainder of zero after the last one.
  return weighted.at(-1)
}

/** What choosing an instance looks at. */
export interface InstanceLoad {
  readonly instanceId: string
  /** Invocations forwarded by this gateway and not yet answered to the last byte. */
  readonly outstandingCount: number
  /** Most invocations it may have outstanding from this gateway. */
  readonly slotCount: number
  /** It refused a connection and is left alone until then; 0 when it never did. */
  readonly suspectUntilMs: number
}

/** How instances of one variant are chosen. */
export interface InstanceRule {
  readonly strategy: RoutingStrategy
  /** Chosen only when no other instance can be: where a first attempt failed. */
  readonly avoidInstanceId?: string | undefined
  readonly nowMs: number
}

/**
 * The instance that takes the next invocation of a variant: one with a free slot that is not suspect.
 *
 * `LEAST_OUTSTANDING_REQUESTS` takes the one with the fewest outstanding invocations, ties at random (otherwise the
 * first in the list would get every invocation of an idle variant); `RANDOM` takes any.
 *
 * @param random in [0, 1)
 */
export function chooseInstance<I extends InstanceLoad>(
  instances: readonly I[],
  rule: InstanceRule,
  random: number,
): I | undefined {
  const able = instances.filter((instance) => canTake(instance, rule.nowMs))
  const others = able.filter((instance) => instance.instanceId !== rule.avoidInstanceId)
  const preferred = others.length > 0 ? others : able
  const candidates = rule.strategy === 'RANDOM' ? preferred : leastOutstanding(preferred)
  return candidates[Math.floor(random * candidates.length)]
}

function canTake(instance: InstanceLoad, nowMs: number): boolean {
  return instance.outstandingCount < instance.slotCount && instance.suspectUntilMs <= nowMs
}

function leastOutstanding<I extends InstanceLoad>(instances: readonly I[]): readonly I[] {
  let least = Number.POSITIVE_INFINITY
  for (const instance of instances) least = Math.min(least, instance.outstandingCount)
  return instances.filter((instance) => instance.outstandingCount === least)
}
