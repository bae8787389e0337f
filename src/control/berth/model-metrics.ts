import type { EndpointModelsReport } from '../../domain/multi-model/model-report.ts'

/**
 * What was counted of the models of one variant. Names and units are SageMaker's: times in microseconds.
 *
 * Source: data-plane reference §16.2.
 */
export interface ModelMetrics {
  readonly VariantName: string
  /** Average: the share of invocations whose model was loaded when they came. */
  readonly ModelCacheHit: Metric
  /** Of invocations whose model was not. */
  readonly ModelLoadingWaitTime: Metric
  readonly ModelDownloadingTime: Metric
  readonly ModelLoadingTime: Metric
  readonly ModelUnloadingTime: Metric
  /** Sum: on all instances; a model counts on each. */
  readonly LoadedModelCount: Metric
}

/** A metric since gateways and control started; of `LoadedModelCount`, now. */
export interface Metric {
  readonly Sum: number
  readonly SampleCount: number
  readonly Average: number
}

/** One entry for each variant that has instances or was used. */
export function modelMetricsOf({
  instances,
  counters,
  times,
}: EndpointModelsReport): readonly ModelMetrics[] {
  const all = [...instances, ...counters, ...times].map(({ variantName }) => variantName)
  return [...new Set(all)].toSorted().map((VariantName) => {
    const isOfVariant = ({ variantName }: { readonly variantName: string }): boolean =>
      variantName === VariantName
    const counted = counters.filter(isOfVariant)
    const hitCount = sum(counted.map((one) => one.hitCount))
    const missCount = sum(counted.map((one) => one.missCount))
    const waitMicros = sum(counted.map((one) => one.loadingWaitMicrosSum))
    const taken = times.find(isOfVariant)?.times
    const loadedCounts = instances.filter(isOfVariant).map(({ models }) => models.length)
    return {
      VariantName,
      ModelCacheHit: metric(hitCount, hitCount + missCount),
      ModelLoadingWaitTime: metric(waitMicros, missCount),
      ModelDownloadingTime: metric(taken?.downloading.microsSum, taken?.downloading.count),
      ModelLoadingTime: metric(taken?.loading.microsSum, taken?.loading.count),
      ModelUnloadingTime: metric(taken?.unloading.microsSum, taken?.unloading.count),
      LoadedModelCount: metric(sum(loadedCounts), loadedCounts.length),
    }
  })
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function metric(Sum = 0, SampleCount = 0): Metric {
  const Average = SampleCount === 0 ? 0 : Math.round((Sum / SampleCount) * 1000) / 1000
  return { Sum, SampleCount, Average }
}
