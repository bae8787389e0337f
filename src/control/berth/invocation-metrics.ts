import type { InvocationCounters, VariantCounters } from '../../wire/link.ts'

/**
 * What was counted of a variant, or of one of its containers, since the gateways started. Names and units are SageMaker's:
 * latencies in microseconds.
 *
 * Source: data-plane reference §16.1, §16.6.
 */
export interface InvocationMetrics {
  readonly VariantName: string
  /** Absent for the variant as a whole. */
  readonly ContainerName?: string
  readonly Invocations: number
  readonly Invocation4XXErrors: number
  readonly Invocation5XXErrors: number
  /** Of the variant. */
  readonly ModelLatency?: LatencyMetric
  /** Of the container. */
  readonly ContainerLatency?: LatencyMetric
  readonly OverheadLatency?: LatencyMetric
}

/** A latency over all invocations. */
export interface LatencyMetric {
  readonly Sum: number
  readonly Average: number
}

/** One entry for each variant, followed by those of its containers where it has several; all gateways added up. */
export function invocationMetricsOf(
  counters: readonly VariantCounters[],
): readonly InvocationMetrics[] {
  const byVariant = Object.groupBy(counters, ({ variantName }) => variantName)
  return Object.entries(byVariant).flatMap(([VariantName, ofVariant = []]) => {
    const byContainer = Object.groupBy(
      ofVariant.flatMap(({ containers = [] }) => containers),
      ({ containerName }) => containerName,
    )
    const { latency, overhead, ...whole } = sumOf(ofVariant)
    return [
      { VariantName, ...whole, ModelLatency: latency, OverheadLatency: overhead },
      ...Object.entries(byContainer).map(([ContainerName, ofContainer = []]) => {
        const { latency: ContainerLatency, overhead: _of, ...own } = sumOf(ofContainer)
        return { VariantName, ContainerName, ...own, ContainerLatency }
      }),
    ]
  })
}

function sumOf(counters: readonly InvocationCounters[]) {
  const sum = (name: keyof InvocationCounters): number =>
    counters.reduce((total, one) => total + one[name], 0)
  const Invocations = sum('invocationCount')
  const latencyOf = (Sum: number): LatencyMetric => {
    return { Sum, Average: Invocations === 0 ? 0 : Math.round(Sum / Invocations) }
  }
  return {
    Invocations,
    Invocation4XXErrors: sum('error4xxCount'),
    Invocation5XXErrors: sum('error5xxCount'),
    latency: latencyOf(sum('modelLatencyMicrosSum')),
    overhead: latencyOf(sum('overheadMicrosSum')),
  }
}
