import { fieldOf, listField, numberField, textField } from '../json.ts'

/** The member `models` of `GET /berth/endpoints/NAME`. */
export interface ModelsReport {
  readonly instances: readonly InstanceModelsReport[]
  readonly metrics: readonly ModelMetricsReport[]
}

/** What is loaded on one instance. */
export interface InstanceModelsReport {
  readonly instanceId: string
  readonly variantName: string
  readonly memoryBytes: number | undefined
  readonly memoryBytesMax: number | undefined
  readonly models: readonly LoadedModelReport[]
  readonly quarantined: readonly HeldModelReport[]
}

/** A model that is loaded. */
export interface LoadedModelReport {
  readonly targetModel: string
  readonly memoryBytes: number | undefined
  readonly uses: number | undefined
  readonly loadMs: number | undefined
  readonly isPinned: boolean
}

/** A model that cannot be loaded now. */
export interface HeldModelReport {
  readonly targetModel: string
  readonly reason: string
  readonly waitMs: number | undefined
}

/** Metrics of one variant; times in microseconds. */
export interface ModelMetricsReport {
  readonly variantName: string
  readonly hitShare: number | undefined
  readonly waitMicros: number | undefined
  readonly loadMicros: number | undefined
  readonly loadCount: number | undefined
  readonly unloadCount: number | undefined
}

/** @returns undefined where there is none. */
export function parseModelsReport(json: unknown): ModelsReport | undefined {
  if (json === undefined) return undefined
  return {
    instances: listField(json, 'instances').map(parseInstance),
    metrics: listField(json, 'metrics').map(parseMetrics),
  }
}

function parseInstance(json: unknown): InstanceModelsReport {
  return {
    instanceId: textField(json, 'instanceId') ?? '?',
    variantName: textField(json, 'variantName') ?? '?',
    memoryBytes: numberField(json, 'memoryBytes'),
    memoryBytesMax: numberField(json, 'memoryBytesMax'),
    models: listField(json, 'models').map((model) => ({
      targetModel: textField(model, 'targetModel') ?? '?',
      memoryBytes: numberField(model, 'memoryBytes'),
      uses: numberField(model, 'uses'),
      loadMs: numberField(model, 'loadMs'),
      isPinned: fieldOf(model, 'isPinned') === true,
    })),
    quarantined: listField(json, 'quarantined').map((model) => ({
      targetModel: textField(model, 'targetModel') ?? '?',
      reason: textField(model, 'reason') ?? '',
      waitMs: numberField(model, 'waitMs'),
    })),
  }
}

function parseMetrics(json: unknown): ModelMetricsReport {
  const member = (metric: string, name: string): number | undefined =>
    numberField(fieldOf(json, metric), name)
  // Of nothing there is no average: a gateway says what it counted once a second.
  const average = (metric: string): number | undefined =>
    member(metric, 'SampleCount') === 0 ? undefined : member(metric, 'Average')
  return {
    variantName: textField(json, 'VariantName') ?? '?',
    hitShare: average('ModelCacheHit'),
    waitMicros: average('ModelLoadingWaitTime'),
    loadMicros: average('ModelLoadingTime'),
    loadCount: member('ModelLoadingTime', 'SampleCount'),
    unloadCount: member('ModelUnloadingTime', 'SampleCount'),
  }
}
