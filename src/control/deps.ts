import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JsonObject } from '../domain/json.ts'
import type { EndpointModelsReport } from '../domain/multi-model/model-report.ts'
import type { Log } from '../platform/log.ts'
import type { FleetRuntime } from '../ports/fleet-runtime.ts'
import type { ReadNodeCounters } from '../ports/graph-statistics.ts'
import type { VariantCounters } from '../wire/link.ts'
import type { VerifyDeps } from '../wire/sigv4.ts'
import type { SigningKeyCache } from '../wire/sigv4-keys.ts'
import type { OperationDeps } from './sagemaker/operation.ts'

/** Answers one request of the S3 face, its signature and its errors included. */
export type RouteObjects = (
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
) => Promise<void>

/** Everything the control server takes from `main.ts`. */
export interface ControlDeps extends OperationDeps {
  /** The root access key and session tokens. */
  readonly findSecret: VerifyDeps['findSecret']
  readonly signingKeys: SigningKeyCache
  /** 32 bytes; session tokens are sealed with it. */
  readonly installationKey: Uint8Array
  readonly routeObjects: RouteObjects
  readonly fleetRuntime: Pick<FleetRuntime, 'observeFleets' | 'readLogs'>
  /** The platform's own processes: role, pid, memory, uptime, version. */
  readonly describePlatform: () => Promise<JsonObject>
  /** What is loaded on the instances of a multi-model endpoint. */
  readonly describeModels?: (endpointName: string) => EndpointModelsReport
  /** What each gateway has counted of an endpoint since it started. */
  readonly countInvocations?: (endpointName: string) => readonly VariantCounters[]
  /** What the nodes of a container of `berth/graph` have done. */
  readonly readNodeCounters?: ReadNodeCounters
  /** Aborts when the platform stops: replies that would go on for ever end then. */
  readonly stopping: AbortSignal
  readonly log: Log
}

/** One request on its way through control. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The `x-amzn-RequestId` of the reply; the error id of an internal failure too. */
  readonly requestId: string
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  readonly deps: ControlDeps
}
