import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '../log.ts'
import type { Backend } from './backend.ts'
import type { ConfigSource } from './config-source.ts'
import type { SharedResources } from './create-runner.ts'
import type { FindStep } from './load-ensemble.ts'
import type { LoadOverride } from './load-override.ts'
import { loadVersion, retireVersion } from './load-version.ts'
import { indexRows, latestReady, readyVersions } from './model-entry.ts'
import type { IndexRow, ModelEntry } from './model-entry.ts'
import { planLoad } from './plan-load.ts'
import type { LoadPlan, LoadWish, ReadConfig } from './plan-load.ts'
import { listModels } from './scan-repository.ts'
import type { ServedVersion } from './served-version.ts'
import { ServingError, spellFailure, toServingError } from './serving-error.ts'

/** What a repository needs. */
export interface RepositoryOptions {
  readonly repositories: readonly string[]
  readonly backends: Readonly<Record<string, Backend>>
  readonly readConfig: ReadConfig
  readonly shared: SharedResources
  readonly log: Log
}

/** The models of the repositories: which versions there are, which serve, and how they come and go. */
export class ModelRepository {
  readonly #options: RepositoryOptions
  readonly #entries = new Map<string, ModelEntry>()

  constructor(options: RepositoryOptions) {
    this.#options = options
  }

  /** Names of the models in the repositories. */
  async names(): Promise<readonly string[]> {
    return [...(await listModels(this.#options.repositories)).keys()]
  }

  /** Every version that serves. */
  get ready(): readonly ServedVersion[] {
    return [...this.#entries.values()].flatMap(readyVersions)
  }

  /** Whether nothing that is known fails to serve, but what was unloaded. */
  get isReady(): boolean {
    return [...this.#entries.values()].every(
      ({ versions }) =>
        versions.size > 0 &&
        [...versions.values()].every(
          ({ state, reason }) => state === 'READY' || reason === UNLOADED,
        ),
    )
  }

  /** Versions of a model that serve, ascending; none when it is unknown. */
  versionsOf(name: string): readonly ServedVersion[] {
    const entry = this.#entries.get(name)
    return entry === undefined ? [] : readyVersions(entry)
  }

  /** Whether a model, or one version of it, serves and says itself that it can; unknown ones do not. */
  async isModelReady(name: string, version: number | undefined): Promise<boolean> {
    const versions = this.versionsOf(name)
    const asked = versions.filter((served) => version === undefined || served.version === version)
    const answers = asked.map(async ({ loaded }) => (await loaded?.isReady?.()) ?? true)
    return (await Promise.all(answers)).some(Boolean)
  }

  /**
   * Finds the version that serves a request; the largest one when none is named.
   *
   * @throws ServingError NOT_FOUND, or UNAVAILABLE: it is known and does not serve.
   */
  find(name: string, version: number | undefined): ServedVersion {
    const entry = this.#entries.get(name)
    const unknown = `Request for unknown model: '${name}'`
    if (entry === undefined) throw new ServingError('NOT_FOUND', `${unknown} is not found`)
    if (version === undefined) {
      const latest = latestReady(entry)
      if (latest === undefined) {
        throw new ServingError('NOT_FOUND', `${unknown} has no available versions`)
      }
      return latest
    }
    const found = entry.versions.get(version)
    if (found === undefined) {
      throw new ServingError('NOT_FOUND', `${unknown} version ${version} is not found`)
    }
    if (found.state !== 'READY' || found.served === undefined) {
      throw new ServingError('UNAVAILABLE', `${unknown} version ${version} is not at ready state`)
    }
    return found.served
  }

  /** All models of the repositories and all that were loaded, by name. */
  async index(): Promise<readonly IndexRow[]> {
    const names = new Set([...(await this.names()), ...this.#entries.keys()])
    return [...names]
      .toSorted((a, b) => (a < b ? -1 : 1))
      .flatMap((name) => {
        const entry = this.#entries.get(name)
        return entry === undefined ? [{ name }] : indexRows(entry)
      })
  }

  /**
   * Loads a model as it is in its repository now, or as the override says. What serves goes on until the new versions do,
   * and stays when they cannot be loaded. Nothing happens when nothing has changed.
   *
   * @throws ServingError
   */
  async load(name: string, override: LoadOverride = {}): Promise<void> {
    await this.#loadAs(name, override, false)
  }

  /** Begins to unload a model; resolves when that has begun. A name that nobody knows is no error. */
  async unload(name: string, withDependents = false): Promise<void> {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#refuseNeeded(entry)
    const { promise, resolve } = Promise.withResolvers<void>()
    void inTurn(entry, async () => {
      const retired = this.#retire(entry, [...entry.versions.keys()])
      entry.loadedForm = ''
      resolve()
      await retired
      await this.#dropOverride(entry)
    })
    await promise
    if (!withDependents) return
    for (const dependency of entry.dependencies) {
      if (this.#entries.get(dependency)?.isDependency === true) await this.unload(dependency, true)
    }
  }

  /** Loads what is new or has changed in the repositories and unloads what is gone from them. */
  async poll(): Promise<void> {
    const { log } = this.#options
    const names = await this.names()
    for (const name of this.#entries.keys()) {
      if (!names.includes(name) && this.versionsOf(name).length > 0) await this.unload(name)
    }
    for (const name of names) {
      await this.load(name).catch((error: unknown) => {
        log('error', 'model not loaded', { model: name, reason: toServingError(error).message })
      })
    }
  }

  /** Answers what every model has taken, takes no more, and gives all memory back. */
  async close(): Promise<void> {
    const entries = [...this.#entries.values()]
    await Promise.all(entries.map((entry) => this.#retire(entry, [...entry.versions.keys()])))
    await Promise.all(entries.map((entry) => this.#dropOverride(entry)))
  }

  #refuseNeeded(entry: ModelEntry): void {
    const needing = [...this.#entries.values()].some(
      (other) => other.dependencies.includes(entry.name) && readyVersions(other).length > 0,
    )
    const versions = readyVersions(entry).map(({ version }) => version)
    if (!needing || versions.length === 0) return
    throw new ServingError(
      'INTERNAL',
      `failed to unload '${entry.name}', versions that are still available: ${versions.join(',')}`,
    )
  }

  async #loadAs(name: string, override: LoadOverride, isDependency: boolean): Promise<void> {
    const folders = (await listModels(this.#options.repositories)).get(name) ?? []
    const hasFiles = (override.files?.size ?? 0) > 0
    if (folders.length === 0 && !hasFiles) {
      throw new ServingError(
        'INTERNAL',
        `failed to load '${name}', failed to poll from model repository`,
      )
    }
    const entry = this.#entryOf(name, isDependency)
    await inTurn(entry, async () => {
      if (folders.length > 1) throw ambiguous(entry, folders)
      const plan = await this.#plan(entry, { ...override, name, folder: folders[0] })
      if (plan.form === entry.loadedForm && readyVersions(entry).length > 0) return
      await this.#loadDependencies(entry, plan.source)
      await this.#replace(entry, plan)
    })
  }

  #entryOf(name: string, isDependency: boolean): ModelEntry {
    const known = this.#entries.get(name)
    if (known !== undefined) {
      if (!isDependency) known.isDependency = false
      return known
    }
    const entry: ModelEntry = {
      name,
      versions: new Map(),
      loadedForm: '',
      overrideDirectory: undefined,
      isDependency,
      dependencies: [],
      turn: Promise.resolve(),
    }
    this.#entries.set(name, entry)
    return entry
  }

  async #plan(entry: ModelEntry, wish: LoadWish): Promise<LoadPlan> {
    const { log, readConfig } = this.#options
    try {
      const plan = await planLoad(wish, readConfig, log)
      await this.#dropOverride(entry)
      if (plan.isOverride) entry.overrideDirectory = plan.modelDirectory
      return plan
    } catch (error) {
      if (entry.versions.size === 0) this.#entries.delete(entry.name)
      throw error
    }
  }

  // What serves already is not loaded again: other ensembles may use it.
  async #loadDependencies(entry: ModelEntry, source: ConfigSource): Promise<void> {
    const { name } = entry
    for (const dependency of source.dependencies) {
      if (this.versionsOf(dependency).length > 0) continue
      await this.#refuseCircle(dependency, [name])
      await this.#loadAs(dependency, {}, true).catch((error: unknown) => {
        const { message } = toServingError(error)
        throw new ServingError(
          'INVALID_ARG',
          `load failed for model '${name}': ensemble '${name}' depends on '${dependency}' which has no loaded version. ` +
            `Model '${dependency}' loading failed with error: ${message}`,
        )
      })
    }
    entry.dependencies = source.dependencies
  }

  // Loads wait for each other along dependencies, so a circle must be found before the first begins.
  async #refuseCircle(name: string, above: readonly string[]): Promise<void> {
    if (above.includes(name)) {
      const circle = [...above.slice(above.indexOf(name)), name].join(' -> ')
      const message = `circular dependency between ensembles: ${circle}`
      throw new ServingError('INVALID_ARG', message)
    }
    const modelDirectory = (await listModels(this.#options.repositories)).get(name)?.[0]
    if (modelDirectory === undefined) return
    const model = { name, modelDirectory, versions: [], override: undefined }
    const source = await this.#options.readConfig(model).catch(() => undefined)
    for (const dependency of source?.dependencies ?? []) {
      await this.#refuseCircle(dependency, [...above, name])
    }
  }

  async #replace(entry: ModelEntry, plan: LoadPlan): Promise<void> {
    const { backends, shared, log } = this.#options
    const { source, modelDirectory, versions } = plan
    const findStep: FindStep = ({ modelName, modelVersion }) =>
      this.find(modelName, modelVersion < 0 ? undefined : modelVersion)
    for (const version of versions) {
      if (entry.versions.get(version)?.state === 'READY') continue
      entry.versions.set(version, { state: 'LOADING', reason: '', served: undefined })
    }
    const results = await Promise.allSettled(
      versions.map((version) =>
        loadVersion({ source, version, modelDirectory, backends, shared, log, findStep }),
      ),
    )
    const loaded = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    if (loaded.length < versions.length) {
      await Promise.all(loaded.map(retireVersion))
      throw this.#recordFailure(entry, versions, results)
    }
    const old = [...entry.versions].filter(([version]) => !versions.includes(version))
    const replaced = loaded.flatMap((served) => {
      const before = entry.versions.get(served.version)?.served
      entry.versions.set(served.version, { state: 'READY', reason: '', served })
      return before ?? []
    })
    entry.loadedForm = plan.form
    log('info', 'model loaded', { model: entry.name, versions: versions.join(',') })
    // What serves no more answers what it has taken, while the new versions serve.
    void Promise.all(replaced.map(retireVersion))
    void this.#retire(
      entry,
      old.map(([version]) => version),
    )
  }

  #recordFailure(
    entry: ModelEntry,
    versions: readonly number[],
    results: readonly PromiseSettledResult<ServedVersion>[],
  ): ServingError {
    let sentence = ''
    for (const [index, version] of versions.entries()) {
      const result = results[index]
      const known = entry.versions.get(version)
      const failure =
        result?.status === 'rejected' ? spellFailure(toServingError(result.reason)) : UNLOADED
      if (result?.status === 'rejected') {
        sentence += `version ${version} is at UNAVAILABLE state: ${failure};\n`
      }
      if (known?.state === 'READY') continue
      entry.versions.set(version, { state: 'UNAVAILABLE', reason: failure, served: undefined })
    }
    return new ServingError('INVALID_ARG', `load failed for model '${entry.name}': ${sentence}`)
  }

  async #retire(entry: ModelEntry, versions: readonly number[]): Promise<void> {
    await Promise.all(
      versions.map(async (version) => {
        const known = entry.versions.get(version)
        if (known?.served === undefined || known.state !== 'READY') return
        known.state = 'UNLOADING'
        await retireVersion(known.served)
        known.served = undefined
        known.state = 'UNAVAILABLE'
        known.reason = UNLOADED
      }),
    )
  }

  async #dropOverride(entry: ModelEntry): Promise<void> {
    const directory = entry.overrideDirectory
    entry.overrideDirectory = undefined
    if (directory !== undefined) await rm(directory, { recursive: true, force: true })
  }
}

const UNLOADED = 'unloaded'

function ambiguous(entry: ModelEntry, folders: readonly string[]): ServingError {
  const reason = 'model appears in two or more repositories'
  entry.versions.set(1, { state: 'UNAVAILABLE', reason, served: undefined })
  return new ServingError(
    'INTERNAL',
    `failed to load '${entry.name}', ${reason}: ${folders.map(dirname).join(', ')}`,
  )
}

async function inTurn(entry: ModelEntry, task: () => Promise<void>): Promise<void> {
  const result = entry.turn.then(task)
  entry.turn = result.catch(() => undefined)
  await result
}
