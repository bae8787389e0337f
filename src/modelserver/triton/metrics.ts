import { cpus, freemem, totalmem } from 'node:os'
import type { ServedVersion } from './served-version.ts'
import { FAILURE_REASONS } from './serving-error.ts'
import type { Statistics } from './statistics.ts'

interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly valueOf: (statistics: Statistics) => number
}

const us = (ns: number): number => Math.round(ns / 1000)

// Names and texts are Triton's. Source: reference §12.2.
const FAMILIES: readonly Family[] = [
  {
    name: 'nv_inference_request_success',
    type: 'counter',
    help: 'Number of successful inference requests, all batch sizes',
    valueOf: (statistics) => statistics.part('success').count,
  },
  {
    name: 'nv_inference_count',
    type: 'counter',
    help: 'Number of inferences performed (does not include cached requests)',
    valueOf: (statistics) => statistics.inferenceCount,
  },
  {
    name: 'nv_inference_exec_count',
    type: 'counter',
    help: 'Number of model executions performed (does not include cached requests)',
    valueOf: (statistics) => statistics.executionCount,
  },
  {
    name: 'nv_inference_request_duration_us',
    type: 'counter',
    help: 'Cumulative inference request duration in microseconds (includes cached requests)',
    valueOf: (statistics) => us(statistics.part('success').ns),
  },
  {
    name: 'nv_inference_queue_duration_us',
    type: 'counter',
    help: 'Cumulative inference queuing duration in microseconds (includes cached requests)',
    valueOf: (statistics) => us(statistics.part('queue').ns),
  },
  {
    name: 'nv_inference_compute_input_duration_us',
    type: 'counter',
    help: 'Cumulative compute input duration in microseconds (does not include cached requests)',
    valueOf: (statistics) => us(statistics.part('compute_input').ns),
  },
  {
    name: 'nv_inference_compute_infer_duration_us',
    type: 'counter',
    help: 'Cumulative compute inference duration in microseconds (does not include cached requests)',
    valueOf: (statistics) => us(statistics.part('compute_infer').ns),
  },
  {
    name: 'nv_inference_compute_output_duration_us',
    type: 'counter',
    help: 'Cumulative inference compute output duration in microseconds (does not include cached requests)',
    valueOf: (statistics) => us(statistics.part('compute_output').ns),
  },
  {
    name: 'nv_inference_pending_request_count',
    type: 'gauge',
    help: 'Instantaneous number of pending requests awaiting execution per-model.',
    valueOf: (statistics) => statistics.pendingCount,
  },
  {
    name: 'nv_model_load_duration_secs',
    type: 'gauge',
    help: 'Model load time in seconds',
    valueOf: (statistics) => statistics.loadSeconds,
  },
]

// Only of models whose answers are kept.
const CACHE_FAMILIES: readonly Family[] = [
  {
    name: 'nv_cache_num_hits_per_model',
    type: 'counter',
    help: 'Number of cache hits per model',
    valueOf: (statistics) => statistics.part('cache_hit').count,
  },
  {
    name: 'nv_cache_num_misses_per_model',
    type: 'counter',
    help: 'Number of cache misses per model',
    valueOf: (statistics) => statistics.part('cache_miss').count,
  },
  {
    name: 'nv_cache_hit_duration_per_model',
    type: 'counter',
    help: 'Total cache hit duration per model, in microseconds',
    valueOf: (statistics) => us(statistics.part('cache_hit').ns),
  },
  {
    name: 'nv_cache_miss_duration_per_model',
    type: 'counter',
    help: 'Total cache miss (insert+lookup) duration per model, in microseconds',
    valueOf: (statistics) => us(statistics.part('cache_miss').ns),
  },
]

/** The metrics of all versions that serve and of the machine, in the text format of Prometheus. */
export function encodeMetrics(versions: readonly ServedVersion[], cpuShare: number): string {
  const cached = versions.filter(({ statistics }) => statistics.isCached)
  const families = [
    ...FAMILIES.map((one) => versionFamily(one, versions)),
    ...(cached.length > 0 ? CACHE_FAMILIES.map((one) => versionFamily(one, cached)) : []),
  ]
  return [...families, failures(versions), ...machine(cpuShare)].join('')
}

function versionFamily(
  { name, type, help, valueOf }: Family,
  versions: readonly ServedVersion[],
): string {
  return family(
    { name, type, help },
    versions.map((served) => [labelsOf(served), valueOf(served.statistics)]),
  )
}

type Sample = readonly [labels: string, value: number]

function family({ name, type, help }: Omit<Family, 'valueOf'>, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labels} ${value}\n`)
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function failures(versions: readonly ServedVersion[]): string {
  const description = {
    name: 'nv_inference_request_failure',
    type: 'counter',
    help: 'Number of failed inference requests, all batch sizes',
  } as const
  return family(
    description,
    versions.flatMap((served) =>
      FAILURE_REASONS.map((reason): Sample => {
        return [labelsOf(served, { reason }), served.statistics.failureCount(reason)]
      }),
    ),
  )
}

function labelsOf(
  { name, version, config }: ServedVersion,
  more: Readonly<Record<string, string>> = {},
): string {
  const tags = Object.entries(config.metricTags).map(([key, value]) => [`_${key}`, value])
  const pairs = [['model', name], ['version', String(version)], ...Object.entries(more), ...tags]
  return `{${pairs.map(([key = '', value = '']) => `${key}="${escapeLabel(value)}"`).join(',')}}`
}

function escapeLabel(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
}

function machine(cpuShare: number): readonly string[] {
  const gauge = (name: string, help: string, value: number): string =>
    family({ name, type: 'gauge', help }, [['', value]])
  return [
    gauge('nv_cpu_utilization', 'CPU utilization rate [0.0 - 1.0]', cpuShare),
    gauge('nv_cpu_memory_total_bytes', 'CPU total memory (RAM), in bytes', totalmem()),
    gauge('nv_cpu_memory_used_bytes', 'CPU used memory (RAM), in bytes', totalmem() - freemem()),
  ]
}

/** Share of the machine's processors that was busy since the last question. */
export class CpuMeter {
  #busy = 0
  #total = 0

  read(): number {
    let busy = 0
    let total = 0
    for (const { times } of cpus()) {
      const all = times.user + times.nice + times.sys + times.idle + times.irq
      total += all
      busy += all - times.idle
    }
    const share = total > this.#total ? (busy - this.#busy) / (total - this.#total) : 0
    this.#busy = busy
    this.#total = total
    return share
  }
}
