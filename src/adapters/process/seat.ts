import { join } from 'node:path'
import type { FleetSpec } from '../../domain/fleet.ts'
import type { Container } from '../../domain/model.ts'
import {
  CONTAINER_HOSTNAME_VARIABLE,
  CONTAINERS_VARIABLE,
  encodeSiblings,
} from '../../domain/sibling-containers.ts'
import type { InstanceRecord } from './records.ts'

/** One container's place in an instance. */
export interface Seat {
  readonly spec: FleetSpec
  readonly instanceId: string
  readonly container: Container
  /** Its hostname where the instance has several containers; undefined for the only one. */
  readonly hostname: string | undefined
  readonly socketPath: string
  /** Its working directory. */
  readonly folder: string
  /** What tells it where its siblings are; empty for the only container. */
  readonly siblingVariables: Readonly<Record<string, string>>
}

/** The places of an instance's containers, in the order of the model. */
export function seatsOf(
  { spec, instanceId, containers: records }: InstanceRecord,
  instanceFolder: string,
): readonly Seat[] {
  const { containers } = spec
  const hasSeveral = containers.length > 1
  const socketPathOf = (index: number): string =>
    records[index]?.socketPath ?? join(instanceFolder, `${index}.sock`)
  const siblings = containers.map(({ hostname }, index) => {
    return { hostname, http: { kind: 'socket' as const, path: socketPathOf(index) } }
  })
  return containers.map((container, index) => ({
    spec,
    instanceId,
    container,
    hostname: hasSeveral ? container.hostname : undefined,
    socketPath: socketPathOf(index),
    folder: hasSeveral ? join(instanceFolder, String(index)) : instanceFolder,
    siblingVariables: hasSeveral
      ? {
          [CONTAINER_HOSTNAME_VARIABLE]: container.hostname,
          [CONTAINERS_VARIABLE]: encodeSiblings(siblings),
        }
      : {},
  }))
}
