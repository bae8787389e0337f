import type { InstanceAddress } from '../domain/fleet.ts'
import type { NodeCounters } from '../domain/graph/node-counters.ts'

/** Asks a container of `berth/graph` what its nodes have done; undefined when it does not say. */
export type ReadNodeCounters = (
  address: InstanceAddress,
  signal: AbortSignal,
) => Promise<readonly NodeCounters[] | undefined>
