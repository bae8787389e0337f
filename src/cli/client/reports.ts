import { fieldOf, listField, numberField, textField } from '../json.ts'
import { parseModelsReport } from './models-report.ts'
import type { ModelsReport } from './models-report.ts'

// What Berth's own routes answer. Read leniently: a member that another version lacks is shown as unknown.

/** `GET /berth/endpoints/NAME` */
export interface EndpointReport {
  readonly name: string
  readonly arn: string | undefined
  readonly status: string
  readonly failureReason: string | undefined
  readonly configName: string | undefined
  readonly createdAtMs: number | undefined
  readonly modifiedAtMs: number | undefined
  readonly pending: { readonly configName: string; readonly startedAtMs: number } | undefined
  /** Of the serving generation; of the coming one while nothing serves. */
  readonly variants: readonly VariantReport[]
  /** Every variant of every generation that has instances or failed to start some. */
  readonly fleets: readonly FleetReport[]
  /** Of each container that has had invocations, where there are several. */
  readonly containerMetrics: readonly ContainerMetricsReport[]
  /** What is loaded where; undefined where it serves one model. */
  readonly models: ModelsReport | undefined
  /** Of each node of the endpoint's graphs that has been used. */
  readonly graphNodes: readonly GraphNodeReport[]
  /** Newest first. */
  readonly events: readonly EventReport[]
}

/** What one node of a graph has done since its container started. */
export interface GraphNodeReport {
  readonly containerHostname: string
  readonly node: string
  readonly answeredCount: number | undefined
  readonly failedCount: number | undefined
  readonly latencyMicros: number | undefined
  readonly latencyMicrosMax: number | undefined
}

/** What one of several containers has answered since the gateways started. */
export interface ContainerMetricsReport {
  readonly variantName: string
  readonly containerName: string
  readonly invocationCount: number | undefined
  readonly error4xxCount: number | undefined
  readonly error5xxCount: number | undefined
  /** Mean `ContainerLatency`. */
  readonly latencyMicros: number | undefined
}

/** Counts and weights of one variant. */
export interface VariantReport {
  readonly variantName: string
  /** Of its containers, in their order. */
  readonly images: readonly string[]
  readonly currentInstanceCount: number | undefined
  readonly desiredInstanceCount: number | undefined
  readonly currentWeight: number | undefined
  readonly desiredWeight: number | undefined
}

/** The instances of one variant in one generation. */
export interface FleetReport {
  readonly variantName: string
  readonly modelName: string | undefined
  readonly instanceType: string | undefined
  readonly generation: number | undefined
  readonly instances: readonly InstanceReport[]
  /** Why instances do not start. */
  readonly startFailure: string | undefined
}

/** One instance. */
export interface InstanceReport {
  readonly instanceId: string
  readonly endpointName: string | undefined
  readonly variantName: string | undefined
  /** Where the process is of one of several containers. */
  readonly containerHostname: string | undefined
  readonly state: string
  readonly reason: string | undefined
  readonly pid: number | undefined
  readonly startedAtMs: number | undefined
  readonly memoryBytes: number | undefined
  readonly uptimeMs: number | undefined
  /** Empty where there is only one. */
  readonly containers: readonly ContainerReport[]
}

/** One of several containers of an instance. */
export interface ContainerReport {
  readonly hostname: string
  readonly state: string
  readonly reason: string | undefined
  readonly pid: number | undefined
  readonly restartCount: number | undefined
}

/** Something that happened to an endpoint. */
export interface EventReport {
  readonly atMs: number | undefined
  readonly kind: string
  readonly reason: string
  /** What it was decided by. */
  readonly inputs: unknown
}

/** `GET /berth/platform` */
export interface PlatformReport {
  readonly version: string | undefined
  readonly url: string | undefined
  readonly control: ProcessReport
  readonly gateways: readonly ProcessReport[]
  readonly instances: readonly InstanceReport[]
  /** Processes that wait to become instances. */
  readonly warmPool: readonly WarmProcessReport[]
}

/** A process of the warm pool. */
export interface WarmProcessReport extends ProcessReport {
  readonly state: string
}

/** One of the platform's own processes. */
export interface ProcessReport {
  readonly pid: number | undefined
  readonly memoryBytes: number | undefined
  readonly uptimeMs: number | undefined
  readonly version: string | undefined
}

/** Reads the answer of `GET /berth/endpoints/NAME`: DescribeEndpoint's, with instances and events beside it. */
export function parseEndpointReport(json: unknown): EndpointReport {
  const endpoint = fieldOf(json, 'endpoint')
  const pending = fieldOf(endpoint, 'PendingDeploymentSummary')
  const pendingConfigName = textField(pending, 'EndpointConfigName')
  const serving = listField(endpoint, 'ProductionVariants')
  const variants = serving.length > 0 ? serving : listField(pending, 'ProductionVariants')
  return {
    name: textField(endpoint, 'EndpointName') ?? '?',
    arn: textField(endpoint, 'EndpointArn'),
    status: textField(endpoint, 'EndpointStatus') ?? '?',
    failureReason: textField(endpoint, 'FailureReason'),
    configName: textField(endpoint, 'EndpointConfigName'),
    createdAtMs: timeField(endpoint, 'CreationTime'),
    modifiedAtMs: timeField(endpoint, 'LastModifiedTime'),
    pending:
      pendingConfigName === undefined
        ? undefined
        : { configName: pendingConfigName, startedAtMs: timeField(pending, 'StartTime') ?? 0 },
    variants: variants.map(parseVariant),
    fleets: listField(json, 'variants').map(parseFleet),
    containerMetrics: listField(json, 'metrics').flatMap(parseContainerMetrics),
    models: parseModelsReport(fieldOf(json, 'models')),
    graphNodes: listField(json, 'graphs').flatMap(parseGraph),
    events: listField(json, 'events').map(parseEvent),
  }
}

/** Reads the answer of `GET /berth/platform`. */
export function parsePlatformReport(json: unknown): PlatformReport {
  return {
    version: textField(json, 'version'),
    url: textField(json, 'url'),
    control: parseProcess(fieldOf(json, 'control')),
    gateways: listField(json, 'gateways').map(parseProcess),
    instances: listField(json, 'instances').map(parseInstance),
    warmPool: listField(json, 'warmPool').map((member) => ({
      ...parseProcess(member),
      state: textField(member, 'state') ?? '?',
    })),
  }
}

function parseVariant(json: unknown): VariantReport {
  return {
    variantName: textField(json, 'VariantName') ?? '?',
    images: listField(json, 'DeployedImages').map(
      (image) => textField(image, 'SpecifiedImage') ?? '?',
    ),
    currentInstanceCount: numberField(json, 'CurrentInstanceCount'),
    desiredInstanceCount: numberField(json, 'DesiredInstanceCount'),
    currentWeight: numberField(json, 'CurrentWeight'),
    desiredWeight: numberField(json, 'DesiredWeight'),
  }
}

function parseFleet(json: unknown): FleetReport {
  return {
    variantName: textField(json, 'variantName') ?? '?',
    generation: numberField(json, 'generation'),
    modelName: textField(json, 'modelName'),
    instanceType: textField(json, 'instanceType'),
    instances: listField(json, 'instances').map(parseInstance),
    startFailure: textField(fieldOf(json, 'startFailure'), 'reason'),
  }
}

function parseInstance(json: unknown): InstanceReport {
  return {
    instanceId: textField(json, 'instanceId') ?? '?',
    endpointName: textField(json, 'endpointName'),
    variantName: textField(json, 'variantName'),
    containerHostname: textField(json, 'containerHostname'),
    state: textField(json, 'state') ?? '?',
    reason: textField(json, 'reason'),
    pid: numberField(json, 'pid'),
    startedAtMs: numberField(json, 'startedAtMs'),
    memoryBytes: numberField(json, 'memoryBytes'),
    uptimeMs: numberField(json, 'uptimeMs'),
    containers: listField(json, 'containers').map(parseContainer),
  }
}

function parseContainer(json: unknown): ContainerReport {
  return {
    hostname: textField(json, 'hostname') ?? '?',
    state: textField(json, 'state') ?? '?',
    reason: textField(json, 'reason'),
    pid: numberField(json, 'pid'),
    restartCount: numberField(json, 'restartCount'),
  }
}

function parseGraph(json: unknown): readonly GraphNodeReport[] {
  const containerHostname = textField(json, 'containerHostname') ?? '?'
  return listField(json, 'nodes').map((node) => {
    const answeredCount = numberField(node, 'answeredCount')
    const failedCount = numberField(node, 'failedCount')
    const count = (answeredCount ?? 0) + (failedCount ?? 0)
    const sum = numberField(node, 'latencyMicrosSum')
    return {
      containerHostname,
      node: textField(node, 'node') ?? '?',
      answeredCount,
      failedCount,
      latencyMicros: sum === undefined || count === 0 ? undefined : sum / count,
      latencyMicrosMax: numberField(node, 'latencyMicrosMax'),
    }
  })
}

// Entries of whole variants name no container.
function parseContainerMetrics(json: unknown): readonly ContainerMetricsReport[] {
  const containerName = textField(json, 'ContainerName')
  if (containerName === undefined) return []
  const metrics = {
    variantName: textField(json, 'VariantName') ?? '?',
    containerName,
    invocationCount: numberField(json, 'Invocations'),
    error4xxCount: numberField(json, 'Invocation4XXErrors'),
    error5xxCount: numberField(json, 'Invocation5XXErrors'),
    latencyMicros: numberField(fieldOf(json, 'ContainerLatency'), 'Average'),
  }
  return [metrics]
}

function parseEvent(json: unknown): EventReport {
  return {
    atMs: numberField(json, 'atMs'),
    kind: textField(json, 'kind') ?? '?',
    reason: textField(json, 'reason') ?? '',
    inputs: fieldOf(json, 'inputs'),
  }
}

function parseProcess(json: unknown): ProcessReport {
  return {
    pid: numberField(json, 'pid'),
    memoryBytes: numberField(json, 'memoryBytes'),
    uptimeMs: numberField(json, 'uptimeMs'),
    version: textField(json, 'version'),
  }
}

// AWS JSON has times in seconds.
function timeField(json: unknown, name: string): number | undefined {
  const seconds = numberField(json, name)
  return seconds === undefined ? undefined : seconds * 1000
}
