import type { FleetSpec, ObservedFleet } from '../domain/fleet.ts'

/**
 * Runs fleets of identical instances: child processes, Docker containers or pods.
 *
 * Declarative, so that Kubernetes can do its own placement and healing: the caller says what should run, the
 * runtime starts, probes, replaces (with back-off) and stops instances by itself and reports what it sees.
 */
export interface FleetRuntime {
  /**
   * Declares that `count` instances of the fleet should run. Idempotent, returns once the wish is recorded.
   *
   * Surplus instances become `draining` at once and are stopped when no gateway uses them any more. A count of 0
   * ends the fleet: it disappears from {@link observeFleets} with its last instance.
   */
  applyFleet(spec: FleetSpec, count: number): Promise<void>

  /**
   * Ends a fleet, like a count of 0; for one whose spec nobody knows any more, because its endpoint is gone. Idempotent,
   * an unknown fleet is fine.
   */
  removeFleet(fleetId: string): Promise<void>

  /** Every fleet with a wish or an instance, those of an earlier run of Berth included (adopted). */
  observeFleets(endpointName?: string): Promise<readonly ObservedFleet[]>

  /** Calls the listener with the endpoint's name after anything observable changed; returns its removal. */
  onChange(listener: (endpointName: string) => void): () => void

  /** The last `lineCount` log lines of an endpoint's instances, oldest first, then follows until the signal aborts. */
  readLogs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogLine>
}

/** Which log lines are wanted. */
export interface LogRequest {
  readonly endpointName: string
  /** Only of this one of several containers. */
  readonly containerHostname?: string | undefined
  readonly lineCount: number
  readonly follow: boolean
}

/** One line a container wrote. */
export interface LogLine {
  readonly instanceId: string
  readonly variantName: string
  /** Absent where the instance has only one container. */
  readonly containerHostname?: string
  readonly text: string
}
