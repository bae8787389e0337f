import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Log } from '../../log.ts'
import { preparePython } from '../../python/environment/prepare-python.ts'
import { findRequirements } from '../../python/environment/requirements.ts'
import type { PythonLaunch } from '../../python/python-worker.ts'
import { workerEnvironment } from '../../python/worker-environment.ts'
import { StartFailure } from '../../start-failure.ts'
import { installerEnvironment } from '../../user-code/user-settings.ts'
import type { Backend, LoadedModel, ModelToLoad } from '../backend.ts'
import type { ConfigSource } from '../config-source.ts'
import { read } from '../json-reader.ts'
import type { ModelConfig } from '../model-config.ts'
import { ServingError } from '../serving-error.ts'
import { CustomMetrics } from './custom-metrics.ts'
import { listInstances } from './list-instances.ts'
import type { NamedInstance } from './list-instances.ts'
import { ModelCalls } from './model-calls.ts'
import type { OtherModels } from './other-models.ts'
import { resolveExecutionPath, unpackEnvironment } from './packed-environment.ts'
import { PythonInstance } from './python-instance.ts'
import type { PythonProcess } from './python-process.ts'

/** Limits of Python models that `--backend-config=python,…` sets. */
export interface PythonLimits {
  /** How long Python may take to start. */
  readonly startMsMax: number
  /** How long a model may be silent within a call; 0 for ever. */
  readonly callMsMax: number
  /** What a process may allocate; 0 for any amount. */
  readonly memoryBytesMax: number
}

/** What the backend needs. */
export interface PythonBackendOptions {
  readonly limits: PythonLimits
  /** Python's executable, where the operator named one. */
  readonly python: string | undefined
  /** Where Python environments are kept and shared. */
  readonly environmentsDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The server's models, for those that call others. */
  readonly models: OtherModels
}

// The only fields that a model may complete. Source: Triton `python_be.cc`.
const COMPLETED_FIELDS = [
  'max_batch_size',
  'input',
  'output',
  'dynamic_batching',
  'model_transaction_policy',
]

/** Models of Triton's Python backend, each instance in a process of its own. */
export class PythonBackend implements Backend {
  readonly metrics = new CustomMetrics()
  readonly #options: PythonBackendOptions
  readonly #closing = new AbortController()

  constructor(options: PythonBackendOptions) {
    this.#options = options
  }

  async load(model: ModelToLoad, log: Log): Promise<LoadedModel> {
    const python = await this.#preparePython(model, log)
    const loading = new LoadingModel(model)
    const instances: PythonInstance[] = []
    const add = (named: NamedInstance, instanceCount: number): PythonInstance => {
      const launch = this.#launch(python, instanceCount)
      const instance = this.#createInstance(loading, { launch, named, log })
      instances.push(instance)
      return instance
    }
    try {
      const written = listInstances(model.name, { ...model.source.written })
      const [first = { name: `${model.name}_0`, kind: 'CPU' }] = written
      // The first one completes the configuration, and thereby tells how many there are to be.
      await add(first, written.length).whenLoaded()
      const config = loading.config
      const others = listInstances(model.name, config.json).slice(1)
      await Promise.all(others.map((named) => add(named, others.length + 1).whenLoaded()))
      const isReady = async (): Promise<boolean> =>
        (await Promise.all(instances.map((instance) => instance.isReady()))).every(Boolean)
      return { config, instances, isReady }
    } catch (error) {
      await Promise.all(instances.map((instance) => instance.close()))
      throw error
    }
  }

  /** Stops what is being installed. */
  close(): void {
    this.#closing.abort()
  }

  #createInstance(
    loading: LoadingModel,
    {
      launch,
      named,
      log,
    }: { readonly launch: PythonLaunch; readonly named: NamedInstance; readonly log: Log },
  ): PythonInstance {
    const { limits, models } = this.#options
    const { metrics } = this
    const instanceName = named.name
    return new PythonInstance({
      ...limits,
      launch,
      instanceName,
      isDecoupled: () => loading.config.isDecoupled,
      createCalls: (process) => new ModelCalls({ process, models, metrics, instanceName, log }),
      load: (process) => loading.loadInto(process, named),
      log,
    })
  }

  #launch(python: string, instanceCount: number): PythonLaunch {
    const threadCount = Math.max(1, Math.floor(availableParallelism() / Math.max(1, instanceCount)))
    const { memoryBytesMax } = this.#options.limits
    const environment = workerEnvironment(this.#options.environment, { python, threadCount })
    return { python, program: 'triton', arguments: [String(memoryBytesMax)], environment }
  }

  async #preparePython(model: ModelToLoad, log: Log): Promise<string> {
    const { environmentsDirectory, environment } = this.#options
    const { modelDirectory, versionDirectory, name } = model
    const parameters = read.object(model.source.written['parameters'])
    const packed = read.text(read.object(parameters['EXECUTION_ENV_PATH'])['string_value'])
    const installing = {
      environment: installerEnvironment(environment),
      signal: this.#closing.signal,
    }
    const python =
      packed === ''
        ? this.#options.python
        : await unpackEnvironment({
            path: resolveExecutionPath(packed, modelDirectory),
            environmentsDirectory,
            ...installing,
          })
    try {
      return await preparePython({
        python,
        environmentsDirectory,
        requirements: {
          packages: [],
          file: await findRequirements([versionDirectory, modelDirectory], dirname(modelDirectory)),
        },
        installerEnvironment: installing.environment,
        log: (level, event, fields) => log(level, event, { model: name, ...fields }),
        onProgress: () => undefined,
        signal: installing.signal,
      })
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error
      throw new ServingError('INTERNAL', error.message)
    }
  }
}

/** A model on its way: its configuration is known when the first process has completed it. */
class LoadingModel {
  readonly #model: ModelToLoad
  #config: ModelConfig | undefined

  constructor(model: ModelToLoad) {
    this.#model = model
  }

  /** @throws Error no process has been loaded. */
  get config(): ModelConfig {
    if (this.#config === undefined) throw new Error('The configuration is not known yet.')
    return this.#config
  }

  /** Makes the model in a process that has started. @throws ServingError */
  async loadInto(
    process: PythonProcess,
    { name: instanceName, kind }: NamedInstance,
  ): Promise<void> {
    const { name, modelDirectory, versionDirectory, source } = this.#model
    const completed = await process.prepare({
      name,
      path: join(versionDirectory, source.modelFilename),
      isCompleting: this.#config === undefined && source.isAutoCompleting,
      config: JSON.stringify(source.written),
    })
    this.#config ??= completeConfig(source, completed)
    await process.initialize({
      isDecoupled: this.#config.isDecoupled,
      args: {
        model_config: JSON.stringify(this.#config.json),
        model_instance_kind: kind,
        model_instance_name: instanceName,
        model_instance_device_id: '0',
        model_repository: modelDirectory,
        model_version: basename(versionDirectory),
        model_name: name,
      },
    })
  }
}

function completeConfig(
  source: ConfigSource,
  completed: Readonly<Record<string, unknown>> | undefined,
): ModelConfig {
  if (completed === undefined) return source.complete(undefined)
  const fields = Object.entries(completed).filter(([name]) => COMPLETED_FIELDS.includes(name))
  return source.completeWith(Object.fromEntries(fields))
}
