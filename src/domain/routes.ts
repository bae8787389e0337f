import type { RoutingStrategy } from './endpoint-config.ts'
import type { FramesAddress, InstanceAddress } from './fleet.ts'

/** One instance that may be given invocations. */
export interface InstanceRoute {
  readonly instanceId: string
  /** Where it speaks HTTP. */
  readonly address: InstanceAddress
  /** Where it speaks frames as well; absent for containers that speak only HTTP. */
  readonly frames?: FramesAddress
}

/** What a gateway needs to know of a variant that serves many models. */
export interface MultiModelRoute {
  /** Whether models stay loaded after an invocation. */
  readonly isCaching: boolean
  /** Invocations of one model outstanding on one instance; absent: a share that leaves room for others. */
  readonly concurrencyMax?: number
  /** How long a loaded model answers before control is asked whether it was replaced; absent: for ever. */
  readonly revalidateMs?: number
}

/** One variant as the gateway routes to it. */
export interface VariantRoute {
  readonly variantName: string
  /** Relative share, ≥ 0; 0 means only when targeted. */
  readonly weight: number
  readonly routingStrategy: RoutingStrategy
  /** Hostname of the container, for error messages (`primary` for a single container). */
  readonly containerHostname: string
  /** Ready instances; may be empty while they are replaced. */
  readonly instances: readonly InstanceRoute[]
  /** Absent where the variant serves one model. */
  readonly multiModel?: MultiModelRoute
}

/** Everything a gateway needs to serve one endpoint. */
export interface EndpointRoute {
  readonly endpointName: string
  readonly variants: readonly VariantRoute[]
}
