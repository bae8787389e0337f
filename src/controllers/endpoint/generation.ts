import { fleetIdOf } from '../../domain/fleet.ts'
import type {
  FleetSpec,
  FleetVariant,
  Generation,
  ObservedFleet,
  ObservedInstance,
} from '../../domain/fleet.ts'
import { parseModelSettings } from '../../domain/multi-model/settings.ts'
import type {
  DirectContainerRoute,
  EndpointRoute,
  InstanceRoute,
  VariantRoute,
} from '../../domain/routes.ts'
import type { Endpoint } from '../../domain/endpoint.ts'

/** Fleets of one endpoint by their id. */
export type FleetsById = ReadonlyMap<string, ObservedFleet>

/** What the runtime is told to run for one variant of a generation. */
export function fleetSpecOf(
  { name, endpointId }: Endpoint,
  { number }: Generation,
  variant: FleetVariant,
): FleetSpec {
  const { variantName, instanceType, containers } = variant
  return {
    fleetId: fleetIdOf(endpointId, number, variantName),
    endpointName: name,
    endpointId,
    variantName,
    generation: number,
    instanceType,
    containers,
    modelDataDownloadTimeoutMs: variant.modelDataDownloadTimeoutMs,
    startupHealthTimeoutMs: variant.startupHealthTimeoutMs,
  }
}

/** The fleet of one variant, if the runtime knows it. */
export function findFleet(
  fleets: FleetsById,
  { endpointId }: Endpoint,
  { number }: Generation,
  { variantName }: FleetVariant,
): ObservedFleet | undefined {
  return fleets.get(fleetIdOf(endpointId, number, variantName))
}

/** Instances that may be routed to. */
export function readyCountOf(fleet: ObservedFleet | undefined): number {
  return fleet?.instances.filter(({ state }) => state === 'ready').length ?? 0
}

/** The generation with the instance counts just seen; the same object when nothing changed. */
export function withCurrentCounts(
  endpoint: Endpoint,
  generation: Generation,
  fleets: FleetsById,
): Generation {
  const variants = generation.variants.map((variant) => {
    const currentInstanceCount = readyCountOf(findFleet(fleets, endpoint, generation, variant))
    const isSame = variant.currentInstanceCount === currentInstanceCount
    return isSame ? variant : { ...variant, currentInstanceCount }
  })
  const isSame = variants.every((variant, index) => variant === generation.variants[index])
  return isSame ? generation : { ...generation, variants }
}

/** The generation with its weights as asked for. */
export function withDesiredWeights(generation: Generation): Generation {
  const variants = generation.variants.map((variant) => ({
    ...variant,
    currentWeight: variant.desiredWeight,
  }))
  return { ...generation, variants }
}

/** The route to the ready instances of one generation. */
export function routeOf(
  endpoint: Endpoint,
  generation: Generation,
  fleets: FleetsById,
): EndpointRoute {
  const variants = generation.variants.map((variant): VariantRoute => {
    const instances = findFleet(fleets, endpoint, generation, variant)?.instances ?? []
    const ordered = instances.toSorted((a, b) => (a.instanceId < b.instanceId ? -1 : 1))
    const isDirect = variant.executionMode === 'Direct'
    return {
      variantName: variant.variantName,
      weight: variant.currentWeight,
      routingStrategy: variant.routingStrategy,
      containerHostname: variant.containers[0]?.hostname ?? 'primary',
      instances: isDirect ? [] : ordered.flatMap(instanceRoutesOf),
      ...(isDirect && { directContainers: directContainersOf(variant, ordered) }),
      ...multiModelRouteOf(variant),
    }
  })
  return { endpointName: endpoint.name, variants }
}

// Each container is routed to where it is ready itself: one that is started anew does not take its siblings with it. An
// instance that was never ready as a whole is none yet; whoever ends it counts on that.
function directContainersOf(
  { containers }: FleetVariant,
  instances: readonly ObservedInstance[],
): readonly DirectContainerRoute[] {
  const serving = instances.filter(
    ({ state, readyAtMs }) =>
      state === 'ready' || (state === 'starting' && readyAtMs !== undefined),
  )
  return containers.map(({ hostname }) => {
    return {
      hostname,
      instances: serving.flatMap((instance) => routeToContainer(instance, hostname)),
    }
  })
}

function routeToContainer(
  { instanceId, address, frames, containers }: ObservedInstance,
  hostname: string,
): readonly InstanceRoute[] {
  const container =
    containers === undefined
      ? { address, frames, state: 'ready' }
      : containers.find((candidate) => candidate.hostname === hostname)
  if (container?.address === undefined || container.state !== 'ready') return []
  const framesOf = container.frames === undefined ? {} : { frames: container.frames }
  return [{ instanceId, hostname, address: container.address, ...framesOf }]
}

// Of several containers, the first takes an invocation and the others take what the one before answered.
function instanceRoutesOf(instance: ObservedInstance): readonly InstanceRoute[] {
  const { instanceId, address, frames, state, containers = [] } = instance
  if (state !== 'ready' || address === undefined) return []
  const [first, ...laterSteps] = containers.map(({ hostname, address: at, frames: framesAt }) => {
    return {
      instanceId,
      hostname,
      address: at,
      ...(framesAt !== undefined && { frames: framesAt }),
    }
  })
  if (first !== undefined) return [{ ...first, laterSteps }]
  return [{ instanceId, address, ...(frames !== undefined && { frames }) }]
}

function multiModelRouteOf({ containers }: FleetVariant): Pick<VariantRoute, 'multiModel'> {
  const container = containers.find(({ multiModel }) => multiModel !== undefined)
  if (container?.multiModel === undefined) return {}
  const { settings } = parseModelSettings(container.environment)
  const { concurrencyMax, revalidateMs } = settings
  return {
    multiModel: {
      ...(containers.length > 1 && { hostname: container.hostname }),
      isCaching: container.multiModel.isCaching,
      ...(concurrencyMax !== undefined && { concurrencyMax }),
      ...(revalidateMs !== undefined && { revalidateMs }),
    },
  }
}
