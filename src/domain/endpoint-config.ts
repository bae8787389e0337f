import type { JsonObject } from './json.ts'

/** How one of several ready instances is chosen for an invocation. */
export type RoutingStrategy = 'RANDOM' | 'LEAST_OUTSTANDING_REQUESTS'

/** A variant as an endpoint config describes it: what an endpoint starts with. */
export interface VariantConfig {
  readonly variantName: string
  readonly modelName: string
  readonly instanceType: string
  /** At least 1. */
  readonly initialInstanceCount: number
  /** Relative share of the traffic; 0 means only when targeted. @defaultValue 1 */
  readonly initialWeight: number
  readonly routingStrategy: RoutingStrategy
  readonly modelDataDownloadTimeoutMs: number
  readonly startupHealthTimeoutMs: number
}

/** Immutable description of an endpoint's variants. */
export interface EndpointConfig {
  readonly name: string
  readonly arn: string
  readonly createdAtMs: number
  readonly variants: readonly VariantConfig[]
  /** What CreateEndpointConfig was given (weight filled in), without tags: Describe echoes it. */
  readonly request: JsonObject
}
