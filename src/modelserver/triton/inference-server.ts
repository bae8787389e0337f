import type { IndexRow } from './model-entry.ts'
import type { LoadOverride } from './load-override.ts'
import type { ModelRepository } from './model-repository.ts'
import type { ConfigPort, ModelConfig } from './model-config.ts'
import type { ServedVersion } from './served-version.ts'
import type { CustomMetrics } from './python/custom-metrics.ts'
import { ServingError } from './serving-error.ts'

/** When models come and go: never after the start, as the repository changes, or by request. */
export type ControlMode = 'none' | 'poll' | 'explicit'

/** What the server says of itself. Source: Triton 2.73, which this stands in for. */
export const SERVER_VERSION = '2.73.0'

/** Extensions of the protocol that this server has, in Triton's order. */
export const EXTENSIONS = [
  'classification',
  'sequence',
  'model_repository',
  'model_repository(unload_dependents)',
  'schedule_policy',
  'model_configuration',
  'system_shared_memory',
  'cuda_shared_memory',
  'binary_tensor_data',
  'parameters',
  'statistics',
  'trace',
  'logging',
] as const

/** What the protocol's front ends are in front of. */
export interface ServerOptions {
  readonly id: string
  readonly repository: ModelRepository
  readonly controlMode: ControlMode
  readonly isReadinessStrict: boolean
  /** Metrics that models bring. */
  readonly metrics: CustomMetrics
}

/** An input or output in a model's metadata. */
export interface TensorMetadata {
  readonly name: string
  readonly datatype: string
  readonly shape: readonly number[]
}

/** The server as its protocols show it, whatever carries them. */
export class InferenceServer {
  readonly repository: ModelRepository
  readonly #options: ServerOptions
  #state: 'starting' | 'ready' | 'exiting' = 'starting'

  constructor(options: ServerOptions) {
    this.#options = options
    this.repository = options.repository
  }

  get id(): string {
    return this.#options.id
  }

  get isExiting(): boolean {
    return this.#state === 'exiting'
  }

  /** Whether the process is well. @throws ServingError UNAVAILABLE: it is on its way out. */
  isLive(): boolean {
    this.#refuseExiting()
    return true
  }

  /** Whether requests can be served. @throws ServingError UNAVAILABLE: it is on its way out. */
  isReady(): boolean {
    this.#refuseExiting()
    const { repository, isReadinessStrict } = this.#options
    return this.#state === 'ready' && (!isReadinessStrict || repository.isReady)
  }

  /** Whether a model, or one version of it, serves and says itself that it can; unknown ones do not. */
  async isModelReady(name: string, version: number | undefined): Promise<boolean> {
    this.#refuseExiting()
    return this.repository.isModelReady(name, version)
  }

  /** Metrics that models bring, in the text format of Prometheus. */
  encodeCustomMetrics(): string {
    return this.#options.metrics.encode()
  }

  metadata() {
    return { name: this.id, version: SERVER_VERSION, extensions: EXTENSIONS }
  }

  /** @throws ServingError NOT_FOUND or UNAVAILABLE. */
  modelMetadata(name: string, version: number | undefined) {
    const { config } = this.repository.find(name, version)
    const versions =
      version === undefined
        ? this.repository.versionsOf(name).map((served) => String(served.version))
        : [String(version)]
    const describe = (port: ConfigPort): TensorMetadata => describePort(port, config)
    return {
      name,
      versions,
      platform: config.platform === '' ? config.backend : config.platform,
      inputs: config.inputs.map(describe),
      outputs: config.outputs.map(describe),
    }
  }

  /**
   * Versions whose statistics are asked for: all of a model, or of all models.
   *
   * @throws ServingError INVALID_ARG: there is none.
   */
  measured(name: string, version: number | undefined): readonly ServedVersion[] {
    if (name === '') return this.repository.ready
    const versions = this.repository.versionsOf(name)
    if (versions.length === 0) {
      throw new ServingError('INVALID_ARG', `requested model '${name}' is not available`)
    }
    if (version === undefined) return versions
    const found = versions.filter((served) => served.version === version)
    if (found.length === 0) {
      const message = `requested model version is not available for model '${name}'`
      throw new ServingError('INVALID_ARG', message)
    }
    return found
  }

  /** @throws ServingError INVALID_ARG: a model whose settings are asked for does not serve. */
  refuseUnknownModel(name: string): void {
    if (this.repository.versionsOf(name).length > 0) return
    throw new ServingError('INVALID_ARG', `Request for unknown model : ${name}`)
  }

  async index(repositoryName: string, isReadyOnly: boolean): Promise<readonly IndexRow[]> {
    refuseRepositoryName(repositoryName)
    const rows = await this.repository.index()
    return isReadyOnly ? rows.filter(({ state }) => state === 'READY') : rows
  }

  /** @throws ServingError by request models cannot be loaded in this mode, or this one cannot be. */
  async load(repositoryName: string, name: string, override: LoadOverride): Promise<void> {
    refuseRepositoryName(repositoryName)
    this.#refuseUncontrolled()
    refuseModelName(name)
    await this.repository.load(name, override)
  }

  /** @throws ServingError by request models cannot be unloaded in this mode. */
  async unload(repositoryName: string, name: string, withDependents: boolean): Promise<void> {
    refuseRepositoryName(repositoryName)
    this.#refuseUncontrolled()
    await this.repository.unload(name, withDependents)
  }

  /** Models have been loaded. */
  becomeReady(): void {
    if (this.#state === 'starting') this.#state = 'ready'
  }

  /** From now on health is refused. */
  becomeExiting(): void {
    this.#state = 'exiting'
  }

  #refuseExiting(): void {
    if (this.isExiting) throw new ServingError('UNAVAILABLE', 'Server exiting')
  }

  #refuseUncontrolled(): void {
    if (this.#options.controlMode === 'explicit') return
    // Source: Triton says so in the mode `none` too.
    const message = 'explicit model load / unload is not allowed if polling is enabled'
    throw new ServingError('UNAVAILABLE', message)
  }
}

function describePort({ name, datatype, dims }: ConfigPort, config: ModelConfig): TensorMetadata {
  return { name, datatype, shape: config.maxBatchSize > 0 ? [-1, ...dims] : dims }
}

function refuseRepositoryName(repositoryName: string): void {
  if (repositoryName === '') return
  throw new ServingError('UNSUPPORTED', "'repository_name' specification is not supported")
}

function refuseModelName(name: string): void {
  if (name.trim() === '') {
    const message = 'Model name cannot be empty. Please enter a valid name to deploy.'
    throw new ServingError('INVALID_ARG', message)
  }
  if (name.includes('/') || name.trim() === '..') {
    const message = 'model name must not contain path traversal characters'
    throw new ServingError('INVALID_ARG', message)
  }
}
