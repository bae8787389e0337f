import { ServingError } from '../serving-error.ts'

/** What a family of metrics is. */
export interface FamilyDescription {
  readonly name: string
  readonly description: string
  /** One of {@link KINDS}. */
  readonly kind: string
}

const KINDS = ['counter', 'gauge', 'histogram'] as const
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/
// What one process may bring into being; a label for each request would fill the memory of the server.
const SERIES_COUNT_MAX = 10_000

interface Series {
  readonly number: number
  readonly family: Family
  readonly labels: Readonly<Record<string, string>>
  /** Upper bounds, ascending, of a histogram. */
  readonly bounds: readonly number[]
  /** Observations up to each bound, and above all of them. */
  readonly counts: number[]
  /** Of a histogram: the sum of what was observed. */
  value: number
  /** How often each process holds it. */
  readonly holders: Map<object, number>
}

interface Family extends FamilyDescription {
  readonly series: Map<string, Series>
  readonly holders: Set<object>
}

/** Metrics that models bring: held together over all processes, and gone with the last process that holds them. */
export class CustomMetrics {
  readonly #families = new Map<string, Family>()
  readonly #series = new Map<number, Series>()
  #lastNumber = 0

  /** Adds a family, or finds the same one. @throws ServingError the name is another family's, or none. */
  addFamily(holder: object, { name, description, kind }: FamilyDescription): void {
    if (!NAME.test(name) || name.startsWith('nv_')) {
      throw invalid(
        `'${name}' is no name for a metric of a model: letters, digits, _ and :, not nv_`,
      )
    }
    if (!KINDS.some((known) => known === kind)) throw invalid(`'${kind}' is no kind of metric`)
    const known = this.#families.get(name)
    if (known !== undefined && known.kind !== kind) {
      throw invalid('Family name already exists with different type')
    }
    const family = known ?? { name, description, kind, series: new Map(), holders: new Set() }
    family.holders.add(holder)
    this.#families.set(name, family)
  }

  /** Adds a series to a family, or finds the one with the same labels. @returns its number. @throws ServingError */
  addMetric(
    holder: object,
    familyName: string,
    given: {
      readonly labels: Readonly<Record<string, string>>
      readonly buckets: readonly number[]
    },
  ): number {
    const family = this.#families.get(familyName)
    if (family === undefined) throw invalid(`there is no metric family '${familyName}'`)
    const labels = Object.entries(given.labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const wrong = labels.find(([label]) => !LABEL.test(label))
    if (wrong !== undefined) throw invalid(`'${wrong[0]}' is no name for a label`)
    if (family.kind === 'histogram' && given.buckets.length === 0) {
      throw invalid('a histogram needs buckets: their upper bounds, ascending')
    }
    const key = JSON.stringify(labels)
    const series =
      family.series.get(key) ?? this.#create(family, Object.fromEntries(labels), given.buckets)
    family.series.set(key, series)
    series.holders.set(holder, (series.holders.get(holder) ?? 0) + 1)
    return series.number
  }

  /** Changes a metric, or reads it. @returns its value then. @throws ServingError its kind has no such operation. */
  change(number: number, operation: string, amount: number): number {
    const series = this.#series.get(number)
    if (series === undefined) throw invalid('the metric has been deleted')
    const { kind } = series.family
    if (operation === 'read' && kind !== 'histogram') return series.value
    if (operation === 'set' && kind === 'gauge') return (series.value = amount)
    if (operation === 'observe' && kind === 'histogram') return observe(series, amount)
    if (operation !== 'increment' || kind === 'histogram') {
      throw new ServingError('UNSUPPORTED', `a ${kind} has no operation '${operation}'`)
    }
    if (kind === 'counter' && amount < 0) throw invalid('a counter does not decrease')
    return (series.value += amount)
  }

  /** A process has let go of a metric once. */
  release(holder: object, number: number): void {
    const series = this.#series.get(number)
    const held = series?.holders.get(holder) ?? 0
    if (series === undefined || held === 0) return
    if (held > 1) series.holders.set(holder, held - 1)
    else this.#drop(series, holder)
  }

  /** A process is gone. */
  releaseAll(holder: object): void {
    for (const series of this.#series.values()) this.#drop(series, holder)
    for (const family of this.#families.values()) {
      family.holders.delete(holder)
      if (family.holders.size === 0) this.#families.delete(family.name)
    }
  }

  /** All of them in the text format of Prometheus. */
  encode(): string {
    return [...this.#families.values()].map(encodeFamily).join('')
  }

  #create(
    family: Family,
    labels: Readonly<Record<string, string>>,
    bounds: readonly number[],
  ): Series {
    if (this.#series.size >= SERIES_COUNT_MAX) {
      throw new ServingError(
        'UNAVAILABLE',
        `there are ${SERIES_COUNT_MAX} metrics of models already`,
      )
    }
    this.#lastNumber += 1
    const counts = Array.from({ length: bounds.length + 1 }, () => 0)
    const series = {
      number: this.#lastNumber,
      family,
      labels,
      bounds,
      counts,
      value: 0,
      holders: new Map(),
    }
    this.#series.set(series.number, series)
    return series
  }

  #drop(series: Series, holder: object): void {
    series.holders.delete(holder)
    if (series.holders.size > 0) return
    this.#series.delete(series.number)
    for (const [key, one] of series.family.series) {
      if (one === series) series.family.series.delete(key)
    }
  }
}

function observe(series: Series, amount: number): number {
  const index = series.bounds.findIndex((bound) => amount <= bound)
  const at = index === -1 ? series.bounds.length : index
  series.counts[at] = (series.counts[at] ?? 0) + 1
  return (series.value += amount)
}

function encodeFamily({ name, description, kind, series }: Family): string {
  if (series.size === 0) return ''
  const lines = [...series.values()].flatMap((one) =>
    kind === 'histogram'
      ? histogramLines(name, one)
      : [`${name}${encodeLabels(one.labels)} ${one.value}`],
  )
  const help = escapeText(description).replaceAll('\\"', '"')
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${lines.join('\n')}\n`
}

function histogramLines(
  name: string,
  { labels, bounds, counts, value }: Series,
): readonly string[] {
  let count = 0
  const buckets = [...bounds, Infinity].map((bound, index) => {
    count += counts[index] ?? 0
    const le = bound === Infinity ? '+Inf' : String(bound)
    return `${name}_bucket${encodeLabels({ ...labels, le })} ${count}`
  })
  const shown = encodeLabels(labels)
  return [`${name}_count${shown} ${count}`, `${name}_sum${shown} ${value}`, ...buckets]
}

function encodeLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeText(text)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`)
}

function invalid(message: string): ServingError {
  return new ServingError('INVALID_ARG', message)
}
