/** What a model is waited for: `ModelDownloadingTime`, `ModelLoadingTime`, `ModelUnloadingTime`. Data-plane reference §16.2. */
export type ModelTimeName = 'downloading' | 'loading' | 'unloading'

/** How often something was measured, and what came out in sum. */
export interface TimeSum {
  readonly count: number
  readonly microsSum: number
}

/** What models of one variant took since control started. */
export class ModelTimes {
  readonly #sumByName = new Map<ModelTimeName, TimeSum>()

  record(name: ModelTimeName, ms: number): void {
    const { count, microsSum } = this.sumOf(name)
    this.#sumByName.set(name, { count: count + 1, microsSum: microsSum + Math.round(ms * 1000) })
  }

  all(): Readonly<Record<ModelTimeName, TimeSum>> {
    return {
      downloading: this.sumOf('downloading'),
      loading: this.sumOf('loading'),
      unloading: this.sumOf('unloading'),
    }
  }

  sumOf(name: ModelTimeName): TimeSum {
    return this.#sumByName.get(name) ?? { count: 0, microsSum: 0 }
  }
}
