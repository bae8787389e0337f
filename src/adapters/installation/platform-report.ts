import type { ObservedFleet } from '../../domain/fleet.ts'
import type { JsonObject } from '../../domain/json.ts'
import { findResidentBytes } from '../../platform/process-identity.ts'

/** What `berth describe --platform` is made from. */
export interface PlatformFacts {
  readonly version: string
  readonly url: string
  readonly nowMs: number
  readonly control: { readonly pid: number; readonly startedAtMs: number }
  readonly gateways: readonly {
    readonly gatewayId: string
    readonly pid: number
    readonly port: number
    readonly startedAtMs: number
  }[]
  /** What a gateway process said of itself; an adopted one may be older. */
  readonly versionOf: (gatewayPid: number) => string | undefined
  readonly fleets: readonly ObservedFleet[]
  /** Processes that wait to become instances. */
  readonly warmPool: readonly {
    readonly instanceId: string
    readonly state: string
    readonly pid: number | undefined
    readonly memoryBytes: number | undefined
    readonly startedAtMs: number
  }[]
}

/** The platform's own processes, and each container of an instance: role, pid, resident memory in bytes, uptime. */
export function reportPlatform({ version, url, nowMs, ...facts }: PlatformFacts): JsonObject {
  return {
    version,
    url,
    control: {
      pid: facts.control.pid,
      memoryBytes: findResidentBytes(facts.control.pid),
      uptimeMs: nowMs - facts.control.startedAtMs,
      version,
    },
    gateways: facts.gateways.map(({ gatewayId, pid, port, startedAtMs }) => ({
      gatewayId,
      pid,
      port,
      memoryBytes: findResidentBytes(pid),
      uptimeMs: nowMs - startedAtMs,
      version: facts.versionOf(pid),
    })),
    instances: facts.fleets.flatMap(({ endpointName, variantName, instances }) =>
      instances.flatMap(({ instanceId, startedAtMs, containers, ...only }) =>
        (containers ?? [only]).map((container) => ({
          instanceId,
          endpointName,
          variantName,
          ...('hostname' in container && { containerHostname: container.hostname }),
          state: container.state,
          pid: container.pid,
          memoryBytes: container.pid === undefined ? undefined : findResidentBytes(container.pid),
          uptimeMs: nowMs - startedAtMs,
        })),
      ),
    ),
    warmPool: facts.warmPool.map(({ startedAtMs, ...member }) => ({
      ...member,
      uptimeMs: nowMs - startedAtMs,
    })),
  }
}
