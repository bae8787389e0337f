import type { Endpoint } from '../../domain/endpoint.ts'
import type { FleetVariant } from '../../domain/fleet.ts'

/** What happens to a serving variant, as `VariantStatus` shows it. */
export interface VariantStatus {
  readonly Status: 'Updating' | 'Deleting'
  readonly StatusMessage: string
  readonly StartTime: Date
}

/**
 * | Endpoint | Variant | Status |
 * |---|---|---|
 * | capacity change | more instances than before | Updating |
 * | capacity change | fewer instances than before | Deleting |
 * | Deleting | any | Deleting |
 * | otherwise, or as many instances as before | | none |
 *
 * Source: SageMaker API reference, `ProductionVariantStatus` (states and sentences).
 */
export function variantStatusOf(
  variant: FleetVariant,
  { status, deployment, modifiedAtMs }: Endpoint,
): VariantStatus | undefined {
  if (status === 'Deleting') return terminating(variant.currentInstanceCount, modifiedAtMs)
  if (deployment?.kind !== 'capacity') return undefined
  const before = deployment.previous.variants.find(
    ({ variantName }) => variantName === variant.variantName,
  )
  const addedCount = variant.desiredInstanceCount - (before?.desiredInstanceCount ?? 0)
  if (addedCount === 0) return undefined
  if (addedCount < 0) return terminating(-addedCount, deployment.startedAtMs)
  return {
    Status: 'Updating',
    StatusMessage: `Scaling out desired instance count to ${variant.desiredInstanceCount}.`,
    StartTime: new Date(deployment.startedAtMs),
  }
}

function terminating(instanceCount: number, sinceMs: number): VariantStatus {
  return {
    Status: 'Deleting',
    StatusMessage: `Terminating ${instanceCount} instance(s).`,
    StartTime: new Date(sinceMs),
  }
}
