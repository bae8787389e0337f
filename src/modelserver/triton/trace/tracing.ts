import type { Log } from '../../log.ts'
import { RequestTrace } from './request-trace.ts'
import { TraceFiles } from './trace-files.ts'
import {
  changeOverrides,
  DEFAULT_TRACE,
  refuseInvalidTrace,
  toShownSettings,
} from './trace-settings.ts'
import type { TraceChange, TraceOverrides, TraceValues } from './trace-settings.ts'

/** What the command line says of tracing. */
export interface TraceOptions extends TraceValues {
  /** Where traces go; empty for nowhere. */
  readonly file: string
}

/** Nothing is traced, and nothing can be. */
export const NO_TRACE_OPTIONS: TraceOptions = { ...DEFAULT_TRACE, file: '' }

interface Sampler {
  overrides: TraceOverrides
  values: TraceValues
  /** Traces that are left to take; -1 for any number. */
  remainingCount: number
  seenCount: number
}

/** Chooses the requests that are traced, by the settings of the server and of single models, which may change while it serves. */
export class Tracing {
  readonly #options: TraceOptions
  readonly #files: TraceFiles
  readonly #global: Sampler
  readonly #models = new Map<string, Sampler>()
  #lastId = 0

  constructor(options: TraceOptions, log: Log) {
    this.#options = options
    this.#files = new TraceFiles(options.file, log)
    this.#global = createSampler({}, options)
  }

  /** Settings as clients see them, with the count of traces that are left. */
  settingsOf(model: string | undefined) {
    const { values, remainingCount } = this.#samplerOf(model)
    return toShownSettings({ ...values, count: remainingCount }, this.#options.file)
  }

  /** Changes the settings of a model, or those that models have which say nothing else. @throws ServingError */
  change(model: string | undefined, change: TraceChange): void {
    const known = model === undefined ? this.#global : this.#models.get(model)
    const overrides = changeOverrides(known?.overrides ?? {}, change)
    const below = model === undefined ? this.#options : this.#global.values
    refuseInvalidTrace({ ...below, ...overrides }, this.#options.file)
    if (known === undefined) {
      if (model !== undefined) this.#models.set(model, createSampler(overrides, below))
      return
    }
    resolve(known, overrides, below)
    if (known !== this.#global) return
    for (const sampler of this.#models.values()) resolve(sampler, sampler.overrides, known.values)
  }

  /** A trace for the next request to a model, if it is the turn of one; its front end holds it. */
  sample(model: string): RequestTrace | undefined {
    const sampler = this.#samplerOf(model)
    const { levels, rate, logFrequency } = sampler.values
    if (levels.length === 0 || sampler.remainingCount === 0) return undefined
    sampler.seenCount += 1
    if (sampler.seenCount % rate !== 0) return undefined
    if (sampler.remainingCount > 0) sampler.remainingCount -= 1
    const group = { key: this.#models.has(model) ? model : '', logFrequency }
    const trace = new RequestTrace({
      levels,
      nextId: () => (this.#lastId += 1),
      write: (records) => this.#files.append(group, records),
    })
    trace.hold()
    return trace
  }

  /** Resolves when every trace is in its file. */
  close(): Promise<void> {
    return this.#files.close()
  }

  #samplerOf(model: string | undefined): Sampler {
    return (model === undefined ? undefined : this.#models.get(model)) ?? this.#global
  }
}

function createSampler(overrides: TraceOverrides, below: TraceValues): Sampler {
  const values = { ...below, ...overrides }
  return { overrides, values, remainingCount: values.count, seenCount: 0 }
}

function resolve(sampler: Sampler, overrides: TraceOverrides, below: TraceValues): void {
  const values = { ...below, ...overrides }
  if (values.count !== sampler.values.count) sampler.remainingCount = values.count
  sampler.overrides = overrides
  sampler.values = values
}
