import type { RoutingStrategy } from './endpoint-config.ts'
import type { FramesAddress, InstanceAddress } from './fleet.ts'

/** Where one container takes invocations. */
export interface ContainerRoute {
  readonly instanceId: string
  /** Tells it from the others of its instance; absent where it is the only one. */
  readonly hostname?: string
  /** Where it speaks HTTP. */
  readonly address: InstanceAddress
  /** Where it speaks frames as well; absent for containers that speak only HTTP. */
  readonly frames?: FramesAddress
}

/** What a gateway needs to know of a variant that serves many models. */
export interface MultiModelRoute {
  /** The container of a serial pipeline that has the models; absent where it is the only one. */
  readonly hostname?: string
  /** Whether models stay loaded after an invocation. */
  readonly isCaching: boolean
  /** Invocations of one model outstanding on one instance; absent: a share that leaves room for others. */
  readonly concurrencyMax?: number
  /** How long a loaded model answers before control is asked whether it was replaced; absent: for ever. */
  readonly revalidateMs?: number
}

/** One instance that may be given invocations, by the container that takes them first. */
export interface InstanceRoute extends ContainerRoute {
  /** Of a serial pipeline: the containers after the first, in order. */
  readonly laterSteps?: readonly ContainerRoute[]
}

/** One container that callers name, on every instance where it is ready. */
export interface DirectContainerRoute {
  readonly hostname: string
  readonly instances: readonly InstanceRoute[]
}

/** One variant as the gateway routes to it. */
export interface VariantRoute {
  readonly variantName: string
  /** Relative share, ≥ 0; 0 means only when targeted. */
  readonly weight: number
  readonly routingStrategy: RoutingStrategy
  /** Hostname of the container, for error messages (`primary` for a single container); of a pipeline's first. */
  readonly containerHostname: string
  /** Ready instances; empty while they are replaced, and always where containers are invoked directly. */
  readonly instances: readonly InstanceRoute[]
  /** Absent where the variant serves one model. */
  readonly multiModel?: MultiModelRoute
  /** Containers that are invoked directly; absent where callers name none. */
  readonly directContainers?: readonly DirectContainerRoute[]
}

/** Everything a gateway needs to serve one endpoint. */
export interface EndpointRoute {
  readonly endpointName: string
  readonly variants: readonly VariantRoute[]
}

/** What invocations are admitted and routed to by itself: a route like that of a variant with one container. */
export interface RoutePart extends VariantRoute {
  /** Of the container that callers name; absent where the part is the variant as a whole. */
  readonly directHostname?: string
}

/** The parts of a variant: each container that callers name, or the variant as a whole. */
export function partsOf(variant: VariantRoute): readonly RoutePart[] {
  const { directContainers, ...whole } = variant
  if (directContainers === undefined) return [variant]
  return directContainers.map(({ hostname, instances }) => {
    return { ...whole, containerHostname: hostname, directHostname: hostname, instances }
  })
}

/** Whether callers name containers of the endpoint, or of a variant of it. */
export function hasDirectContainers({ variants }: EndpointRoute): boolean {
  return variants.some(({ directContainers }) => directContainers !== undefined)
}

/** Whether one of the containers that callers name has this hostname. */
export function isDirectHostname({ variants }: EndpointRoute, hostname: string): boolean {
  return variants.some(({ directContainers = [] }) =>
    directContainers.some((container) => container.hostname === hostname),
  )
}

/** Containers that invocations of an endpoint may be sent to, each once. */
export function containerRoutesOf(route: EndpointRoute | undefined): readonly ContainerRoute[] {
  const instances = (route?.variants ?? []).flatMap(partsOf).flatMap((part) => part.instances)
  return instances.flatMap((instance) => [instance, ...(instance.laterSteps ?? [])])
}

/** Unique among all containers of all instances. */
export function containerKey({ instanceId, hostname }: ContainerRoute): string {
  return hostname === undefined ? instanceId : `${instanceId}/${hostname}`
}
