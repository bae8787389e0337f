import type { EndpointEvent } from '../../domain/event.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import type {
  FleetVariant,
  ObservedFleet,
  ObservedInstance,
  StartFailure,
} from '../../domain/fleet.ts'
import type { VariantCounters } from '../../wire/link.ts'
import { encodeOperationOutput } from '../../wire/sagemaker-operations.ts'
import type {
  EndpointModelsReport,
  InstanceModelsReport,
} from '../../domain/multi-model/model-report.ts'
import type { ControlDeps } from '../deps.ts'
import { endpointDescriptionOf } from '../sagemaker/endpoint-description.ts'
import { notFound } from '../sagemaker/refusals.ts'
import { EVENT_LIMIT } from './events.ts'
import { describeGraphs } from './graph-nodes.ts'
import type { GraphInside } from './graph-nodes.ts'
import { invocationMetricsOf } from './invocation-metrics.ts'
import type { InvocationMetrics } from './invocation-metrics.ts'
import { modelMetricsOf } from './model-metrics.ts'
import type { ModelMetrics } from './model-metrics.ts'
import { integerParameter } from './parameters.ts'

/** An endpoint with its instances and its history. */
interface EndpointInside {
  /** As DescribeEndpoint answers. */
  readonly endpoint: unknown
  /** Oldest generation first. */
  readonly variants: readonly VariantInside[]
  /** What is loaded where on a multi-model endpoint, what cannot be, and what was counted; absent on others. */
  readonly models?: {
    readonly instances: readonly InstanceModelsReport[]
    readonly metrics: readonly ModelMetrics[]
  }
  /** What gateways have counted of its invocations; absent while they have counted nothing. */
  readonly metrics?: readonly InvocationMetrics[]
  /** What the nodes of graphs have done; absent where there are none. */
  readonly graphs?: readonly GraphInside[]
  /** Newest first. */
  readonly events: readonly EndpointEvent[]
}

/** The instances of one variant in one generation. */
interface VariantInside {
  readonly variantName: string
  readonly generation: number
  /** Undefined for a generation that the endpoint has left behind. */
  readonly modelName: string | undefined
  readonly instanceType: string | undefined
  readonly desiredInstanceCount: number
  readonly instances: readonly Omit<ObservedInstance, 'address' | 'frames'>[]
  readonly startFailure: StartFailure | undefined
}

/**
 * `GET /berth/endpoints/NAME?limit=N`: what DescribeEndpoint says, its instances, and its newest events.
 *
 * @throws BerthError `ValidationException`: no such endpoint.
 */
export async function describeEndpointInside(
  name: string,
  query: URLSearchParams,
  deps: ControlDeps,
): Promise<EndpointInside> {
  const { store, installation, fleetRuntime, describeModels, countInvocations } = deps
  const limit = integerParameter(query, 'limit', EVENT_LIMIT)
  const endpoint = await store.findEndpoint(name)
  if (endpoint === undefined) throw notFound(installation, 'endpoint', name)
  const observed = await fleetRuntime.observeFleets(endpoint.name)
  const fleets = observed.filter(({ endpointId }) => endpointId === endpoint.endpointId)
  return {
    endpoint: JSON.parse(
      encodeOperationOutput('DescribeEndpoint', endpointDescriptionOf(endpoint)),
    ),
    variants: fleets
      .toSorted((a, b) => a.generation - b.generation)
      .map((fleet) => variantOf(fleet, endpoint)),
    ...modelsOf(describeModels?.(endpoint.name)),
    ...metricsOf(countInvocations?.(endpoint.name) ?? []),
    ...(await graphsOf(fleets, endpoint, deps)),
    events: await store.listEvents(endpoint.name, limit),
  }
}

function modelsOf(report: EndpointModelsReport | undefined): Pick<EndpointInside, 'models'> {
  if (report === undefined || report.instances.length === 0) return {}
  return { models: { instances: report.instances, metrics: modelMetricsOf(report) } }
}

async function graphsOf(
  fleets: readonly ObservedFleet[],
  endpoint: Endpoint,
  { store, readNodeCounters, stopping }: ControlDeps,
): Promise<Pick<EndpointInside, 'graphs'>> {
  if (readNodeCounters === undefined) return {}
  const found = fleets.map(async (fleet) => {
    const { modelName } = findVariant(endpoint, fleet.generation, fleet.variantName) ?? {}
    const model = modelName === undefined ? undefined : await store.findModel(modelName)
    return describeGraphs(fleet, model, readNodeCounters, stopping)
  })
  const graphs = (await Promise.all(found)).flat()
  return graphs.length === 0 ? {} : { graphs }
}

function metricsOf(counters: readonly VariantCounters[]): Pick<EndpointInside, 'metrics'> {
  const metrics = invocationMetricsOf(counters)
  return metrics.length === 0 ? {} : { metrics }
}

// Where an instance listens is nobody's business outside: it answers without a signature.
function variantOf(fleet: ObservedFleet, endpoint: Endpoint): VariantInside {
  const { variantName, generation, desiredInstanceCount, startFailure } = fleet
  const { modelName, instanceType } = findVariant(endpoint, generation, variantName) ?? {}
  const instances = fleet.instances.map(
    ({ address: _address, frames: _frames, ...instance }) => instance,
  )
  return {
    variantName,
    generation,
    modelName,
    instanceType,
    desiredInstanceCount,
    instances,
    startFailure,
  }
}

function findVariant(
  { serving, deployment }: Endpoint,
  generation: number,
  variantName: string,
): FleetVariant | undefined {
  const green = deployment !== undefined && 'green' in deployment ? deployment.green : undefined
  return [serving, green]
    .find((candidate) => candidate?.number === generation)
    ?.variants.find((variant) => variant.variantName === variantName)
}
