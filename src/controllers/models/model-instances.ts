import type { Endpoint } from '../../domain/endpoint.ts'
import type { ObservedFleet, ObservedInstance } from '../../domain/fleet.ts'
import { shapeOf, workerCountOf } from '../../domain/instance-type.ts'
import type { InstanceShape } from '../../domain/instance-type.ts'
import { parseModelSettings } from '../../domain/multi-model/settings.ts'
import type { ModelInstance } from './model-instance.ts'

const MEMORY_SHARE = 0.9
// With models that do not stay, loading is what an instance does.
const LOADS_PER_WORKER_UNCACHED = 4
const HOW_CHARS_MAX = 200

/** The instances of an endpoint whose process can have models loaded. */
export function modelInstancesOf(
  endpoint: Endpoint,
  fleets: readonly ObservedFleet[],
  machine: InstanceShape,
): readonly ModelInstance[] {
  return fleets
    .filter(({ endpointId }) => endpointId === endpoint.endpointId)
    .flatMap((fleet) => {
      const common = commonOf(endpoint, fleet, machine)
      if (common === undefined) return []
      const { hostname, ...rest } = common
      return fleet.instances.flatMap((instance) => {
        const { instanceId } = instance
        return placesOf(instance, hostname).map((place) => ({ ...rest, instanceId, ...place }))
      })
    })
}

/**
 * How the process with an instance's models ended, in words; undefined when it runs, was told to end, or is one of a runtime
 * that does not say.
 */
export function findEnd(
  { fleetId, instanceId, pid }: ModelInstance,
  fleets: readonly ObservedFleet[],
): string | undefined {
  const fleet = fleets.find((candidate) => candidate.fleetId === fleetId)
  if (pid === undefined || fleet === undefined || fleet.desiredInstanceCount === 0) return undefined
  const instance = fleet.instances.find((candidate) => candidate.instanceId === instanceId)
  if (instance === undefined) return 'ended'
  if (instance.state === 'draining') return undefined
  const { containers = [instance] } = instance
  if (containers.some((container) => container.pid === pid)) return undefined
  const { reason = 'ended' } = containers.find((container) => container.reason !== undefined) ?? {}
  // What it logged last is in the instance's own event.
  return (reason.split(/[;\n]/)[0] ?? reason).slice(0, HOW_CHARS_MAX)
}

interface HostnameOfSeveral {
  /** Of the container, where there are several. */
  readonly hostname: string | undefined
}

type Place = Pick<ModelInstance, 'pid' | 'address'>

// Of several containers, the one that has the models lives and dies by itself.
function placesOf(
  { pid, address, state, containers = [] }: ObservedInstance,
  hostname: string | undefined,
): readonly Place[] {
  if (hostname === undefined) {
    // One that is unhealthy may answer again, unless its process has ended.
    const isThere = state === 'ready' || (state === 'unhealthy' && pid !== undefined)
    return isThere && address !== undefined ? [{ pid, address }] : []
  }
  const container = containers.find((candidate) => candidate.hostname === hostname)
  return container?.state === 'ready' ? [{ pid: container.pid, address: container.address }] : []
}

function commonOf(
  { name, serving, deployment }: Endpoint,
  { fleetId, generation, variantName }: ObservedFleet,
  machine: InstanceShape,
): (Omit<ModelInstance, 'instanceId' | keyof Place> & HostnameOfSeveral) | undefined {
  const green = deployment !== undefined && 'green' in deployment ? deployment.green : undefined
  const variant = [serving, green]
    .find((candidate) => candidate?.number === generation)
    ?.variants.find((candidate) => candidate.variantName === variantName)
  const container = variant?.containers.find(({ multiModel }) => multiModel !== undefined)
  if (variant === undefined || container?.multiModel === undefined) return undefined
  const { settings } = parseModelSettings(container.environment)
  const shape = shapeOf(variant.instanceType)
  const workerCount = workerCountOf(shape, machine.vCpuCount)
  const { prefixUrl, isCaching } = container.multiModel
  const bytes = Math.min(shape?.memoryBytes ?? machine.memoryBytes, machine.memoryBytes)
  return {
    hostname: variant.containers.length > 1 ? container.hostname : undefined,
    endpointName: name,
    fleetId,
    variantName,
    prefixUrl,
    isCaching,
    settings,
    memoryBytesMax: settings.memoryBytesMax ?? Math.floor(bytes * MEMORY_SHARE),
    loadsMax: settings.loadsMax ?? workerCount * (isCaching ? 1 : LOADS_PER_WORKER_UNCACHED),
  }
}
