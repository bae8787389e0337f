import type { RoutingStrategy } from './endpoint-config.ts'
import type { Container, ExecutionMode } from './model.ts'

/** One variant inside one deployment generation of an endpoint. */
export interface FleetVariant {
  readonly variantName: string
  readonly modelName: string
  /** Copied from the model when the generation was made: deleting the model does not stop replacement. */
  readonly containers: readonly Container[]
  /** As in the model. */
  readonly executionMode?: ExecutionMode
  readonly instanceType: string
  readonly routingStrategy: RoutingStrategy
  readonly modelDataDownloadTimeoutMs: number
  readonly startupHealthTimeoutMs: number
  /** Written by control (later also by the autoscaler). */
  readonly desiredInstanceCount: number
  readonly desiredWeight: number
  /** Written by the endpoint controller: what was last reported and routed. */
  readonly currentInstanceCount: number
  readonly currentWeight: number
}

/**
 * The instances of one endpoint config during a deployment, all variants together.
 *
 * A generation is never reused: blue and green are two generations of one endpoint.
 */
export interface Generation {
  /** Counts up from 1 for each endpoint. */
  readonly number: number
  readonly configName: string
  readonly variants: readonly FleetVariant[]
}

/** Identity of the identical instances of one variant in one generation; what a runtime is told to run. */
export interface FleetSpec {
  /** See {@link fleetIdOf}. */
  readonly fleetId: string
  readonly endpointName: string
  /** Distinguishes two endpoints that bore the same name one after the other. */
  readonly endpointId: string
  readonly variantName: string
  readonly generation: number
  readonly instanceType: string
  readonly containers: readonly Container[]
  readonly modelDataDownloadTimeoutMs: number
  readonly startupHealthTimeoutMs: number
}

/** Where an instance listens. */
export type InstanceAddress =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** Where an instance takes invocations as frames: one Unix socket for each of its workers. */
export interface FramesAddress {
  readonly version: number
  readonly socketPaths: readonly string[]
}

/**
 * Life of an instance as its runtime sees it:
 * `preparing` (model data) → `starting` (process runs, no good ping yet) → `ready` ⇄ `unhealthy` →
 * `draining` (out of routing, finishing) → gone.
 *
 * One of several containers is `ready` only when all of them are; it is `starting` again while one of them is started anew.
 */
export type InstanceState = 'preparing' | 'starting' | 'ready' | 'unhealthy' | 'draining'

/** One of several containers of an instance. */
export interface ObservedContainer {
  readonly hostname: string
  /** `unhealthy` while it waits to be started anew. */
  readonly state: InstanceState
  /** Why it failed last, as long as it is not ready again. */
  readonly reason: string | undefined
  readonly address: InstanceAddress
  /** See {@link ObservedInstance.frames}. */
  readonly frames?: FramesAddress
  readonly pid: number | undefined
  /** How often it was started anew while its siblings went on. */
  readonly restartCount: number
}

/** One running host of a variant's containers, as just read from the runtime. */
export interface ObservedInstance {
  readonly instanceId: string
  readonly state: InstanceState
  /** Why it is in this state, for people; set for `unhealthy` and `draining`. */
  readonly reason: string | undefined
  /** Of the only or first container; known from `starting` on. */
  readonly address: InstanceAddress | undefined
  /** As its last good ping announced it; absent when it speaks only HTTP. */
  readonly frames?: FramesAddress
  readonly pid: number | undefined
  readonly startedAtMs: number
  /** When it last became `ready`, if it ever did. */
  readonly readyAtMs: number | undefined
  /** In the order of the model; absent where there is only one. */
  readonly containers?: readonly ObservedContainer[]
}

/**
 * What kept an instance from serving: `model-data` could not be prepared, `image` unknown or not startable,
 * `exited` before it had been ready for a while, `ping` unanswered for the whole start window, `capacity` of the
 * machine used up.
 */
export type StartFailureCause = 'model-data' | 'image' | 'exited' | 'ping' | 'capacity'

/** Why instances of a fleet do not start. */
export interface StartFailure {
  readonly cause: StartFailureCause
  /** Hostname of the container, where there are several. */
  readonly container?: string
  /** In words, with exit code or signal, the last log lines, or the check that failed. */
  readonly reason: string
  readonly atMs: number
  /** Failed starts since an instance of this fleet, started after a failure, stayed ready for a while. */
  readonly consecutiveCount: number
  /** Trying again cannot help: missing model data, an archive that was refused, an unknown image. */
  readonly permanent: boolean
}

/** What a runtime knows of one fleet. */
export interface ObservedFleet {
  readonly fleetId: string
  readonly endpointName: string
  readonly endpointId: string
  readonly variantName: string
  readonly generation: number
  /** What the runtime was last told to run; 0 while the fleet ends. */
  readonly desiredInstanceCount: number
  readonly instances: readonly ObservedInstance[]
  readonly startFailure: StartFailure | undefined
}

/** Unique among all endpoints that ever lived in this installation. */
export function fleetIdOf(endpointId: string, generation: number, variantName: string): string {
  return `${endpointId}-${generation}-${variantName}`
}
