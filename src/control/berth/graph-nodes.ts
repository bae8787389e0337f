import type { InstanceAddress, ObservedFleet, ObservedInstance } from '../../domain/fleet.ts'
import { addNodeCounters } from '../../domain/graph/node-counters.ts'
import type { NodeCounters } from '../../domain/graph/node-counters.ts'
import type { Model } from '../../domain/model.ts'
import type { ReadNodeCounters } from '../../ports/graph-statistics.ts'

const GRAPH_IMAGE = /^berth\/graph(:|$)/

/** What the nodes of one container of `berth/graph` have done, over all instances that run. */
export interface GraphInside {
  readonly variantName: string
  readonly containerHostname: string
  /** Instances that were asked and did not say. */
  readonly silentCount: number
  readonly nodes: readonly NodeCounters[]
}

/** Asks the graphs of a fleet what their nodes have done. */
export async function describeGraphs(
  { variantName, instances }: ObservedFleet,
  model: Model | undefined,
  read: ReadNodeCounters,
  signal: AbortSignal,
): Promise<readonly GraphInside[]> {
  const graphs = (model?.containers ?? []).filter(({ image }) => GRAPH_IMAGE.test(image))
  return Promise.all(
    graphs.map(async ({ hostname }) => {
      const addresses = instances.flatMap((instance) => addressOf(instance, hostname))
      const said = await Promise.all(addresses.map((address) => read(address, signal)))
      const counters = said.filter((each) => each !== undefined)
      const silentCount = said.length - counters.length
      return {
        variantName,
        containerHostname: hostname,
        silentCount,
        nodes: addNodeCounters(counters),
      }
    }),
  )
}

function addressOf(
  { address, containers }: ObservedInstance,
  hostname: string,
): readonly InstanceAddress[] {
  const own = containers?.find((container) => container.hostname === hostname)?.address ?? address
  return own === undefined ? [] : [own]
}
