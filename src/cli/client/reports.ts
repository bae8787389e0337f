import { fieldOf, listField, numberField, textField } from '../json.ts'

// What Berth's own routes answer. Read leniently: a member that a newer or older Berth lacks is shown as unknown.

/** `GET /berth/endpoints/{name}` */
export interface EndpointReport {
  readonly endpointName: string
  readonly endpointArn: string | undefined
  readonly status: string
  readonly failureReason: string | undefined
  readonly configName: string | undefined
  readonly createdAtMs: number | undefined
  readonly modifiedAtMs: number | undefined
  readonly deployment:
    { readonly kind: string; readonly startedAtMs: number | undefined } | undefined
  readonly variants: readonly VariantReport[]
  readonly instances: readonly InstanceReport[]
  /** Newest first. */
  readonly events: readonly EventReport[]
}

/** One variant of the serving, or the coming, generation. */
export interface VariantReport {
  readonly variantName: string
  readonly modelName: string | undefined
  readonly instanceType: string | undefined
  readonly currentInstanceCount: number | undefined
  readonly desiredInstanceCount: number | undefined
  readonly currentWeight: number | undefined
  readonly desiredWeight: number | undefined
}

/** One instance, of an endpoint or of all. */
export interface InstanceReport {
  readonly instanceId: string
  readonly endpointName: string | undefined
  readonly variantName: string | undefined
  readonly state: string
  readonly reason: string | undefined
  readonly pid: number | undefined
  readonly memoryBytes: number | undefined
  readonly startedAtMs: number | undefined
}

/** Something that happened to an endpoint. */
export interface EventReport {
  readonly atMs: number | undefined
  readonly kind: string
  readonly reason: string
}

/** `GET /berth/platform` */
export interface PlatformReport {
  readonly version: string | undefined
  readonly url: string | undefined
  readonly control: ProcessReport
  readonly gateways: readonly ProcessReport[]
  readonly instances: readonly InstanceReport[]
}

/** One of the platform's own processes. */
export interface ProcessReport {
  readonly pid: number | undefined
  readonly memoryBytes: number | undefined
  readonly uptimeMs: number | undefined
  readonly version: string | undefined
}

/** Reads the answer of `GET /berth/endpoints/{name}`. */
export function parseEndpointReport(json: unknown): EndpointReport {
  const deployment = fieldOf(json, 'deployment')
  const kind = textField(deployment, 'kind')
  return {
    endpointName: textField(json, 'endpointName') ?? '?',
    endpointArn: textField(json, 'endpointArn'),
    status: textField(json, 'status') ?? '?',
    failureReason: textField(json, 'failureReason'),
    configName: textField(json, 'configName'),
    createdAtMs: numberField(json, 'createdAtMs'),
    modifiedAtMs: numberField(json, 'modifiedAtMs'),
    deployment:
      kind === undefined
        ? undefined
        : { kind, startedAtMs: numberField(deployment, 'startedAtMs') },
    variants: listField(json, 'variants').map(parseVariant),
    instances: listField(json, 'instances').map(parseInstance),
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
  }
}

function parseVariant(json: unknown): VariantReport {
  return {
    variantName: textField(json, 'variantName') ?? '?',
    modelName: textField(json, 'modelName'),
    instanceType: textField(json, 'instanceType'),
    currentInstanceCount: numberField(json, 'currentInstanceCount'),
    desiredInstanceCount: numberField(json, 'desiredInstanceCount'),
    currentWeight: numberField(json, 'currentWeight'),
    desiredWeight: numberField(json, 'desiredWeight'),
  }
}

function parseInstance(json: unknown): InstanceReport {
  return {
    instanceId: textField(json, 'instanceId') ?? '?',
    endpointName: textField(json, 'endpointName'),
    variantName: textField(json, 'variantName'),
    state: textField(json, 'state') ?? '?',
    reason: textField(json, 'reason'),
    pid: numberField(json, 'pid'),
    memoryBytes: numberField(json, 'memoryBytes'),
    startedAtMs: numberField(json, 'startedAtMs'),
  }
}

function parseEvent(json: unknown): EventReport {
  return {
    atMs: numberField(json, 'atMs'),
    kind: textField(json, 'kind') ?? '?',
    reason: textField(json, 'reason') ?? '',
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
