import { dirname } from 'node:path'
import { toDataTypeName } from '../../../wire/oip/onnx-config.ts'
import type { Log } from '../../log.ts'
import { preparePackages } from '../../node/environment/prepare-packages.ts'
import type { ThreadLaunch } from '../../node/thread.ts'
import { threadUrl } from '../../node/thread-url.ts'
import type { DeclaredSignature, DeclaredTensor } from '../../node/worker/tensors.ts'
import type { UserCodePlace } from '../../node/worker/thread-data.ts'
import { StartFailure } from '../../start-failure.ts'
import { installerEnvironment, withoutMarked } from '../../user-code/user-settings.ts'
import type { Backend, LoadedModel, ModelToLoad } from '../backend.ts'
import type { ConfigSource } from '../config-source.ts'
import type { ModelConfig } from '../model-config.ts'
import { listInstances } from '../python/list-instances.ts'
import { ServingError } from '../serving-error.ts'
import { compareWithSignature } from './compare-with-signature.ts'
import { NodeInstance } from './node-instance.ts'

/** Limits of Node models that `--backend-config=node,…` sets. */
export interface NodeLimits {
  /** How long a model may be silent within a run; 0 for ever. */
  readonly callMsMax: number
  /** V8's heap of an instance, in megabytes. */
  readonly heapMbMax: number
}

/** What the backend needs. */
export interface NodeBackendOptions {
  readonly limits: NodeLimits
  /** Where npm packages of models are kept and shared. */
  readonly packagesDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Models that `defineModel` of `berth/model` made, each instance in a thread of its own. */
export class NodeBackend implements Backend {
  readonly #options: NodeBackendOptions
  readonly #closing = new AbortController()

  constructor(options: NodeBackendOptions) {
    this.#options = options
  }

  async load(model: ModelToLoad, log: Log): Promise<LoadedModel> {
    refuseUntold(model.source)
    const launch = await this.#launch(model, log)
    const { callMsMax } = this.#options.limits
    const instances: NodeInstance[] = []
    const add = (name: string): NodeInstance => {
      const instance = new NodeInstance({ launch, name, callMsMax, log })
      instances.push(instance)
      return instance
    }
    try {
      const [first] = listInstances(model.name, { ...model.source.written })
      // The first one tells what the model is, and thereby how many there are to be.
      const signature = await add(first?.name ?? model.name).signature
      const config = complete(model.source, signature)
      compareWithSignature(config, signature)
      const others = listInstances(model.name, config.json).slice(1)
      await Promise.all(others.map(({ name }) => add(name).signature))
      return { config, instances }
    } catch (error) {
      await Promise.all(instances.map((instance) => instance.close()))
      throw error
    }
  }

  /** Stops what is being installed. */
  close(): void {
    this.#closing.abort()
  }

  async #launch(model: ModelToLoad, log: Log): Promise<ThreadLaunch> {
    const { environment, limits, packagesDirectory } = this.#options
    const { name, modelDirectory, versionDirectory, source } = model
    const codeFolders = [versionDirectory, modelDirectory]
    try {
      const packagesFolder = await preparePackages({
        codeFolders,
        modelDirectory: dirname(modelDirectory),
        packagesDirectory,
        installerEnvironment: installerEnvironment(environment),
        log: (level, event, fields) => log(level, event, { model: name, ...fields }),
        onProgress: () => undefined,
        signal: this.#closing.signal,
      })
      const data: UserCodePlace = {
        modelDirectory,
        codeFolders,
        program: source.modelFilename === '' ? undefined : source.modelFilename,
        defaultProgram: 'model',
        manifestName: 'package.json',
        packagesFolder,
      }
      const { heapMbMax } = limits
      return {
        url: threadUrl('tensor-thread'),
        data,
        heapMbMax,
        environment: withoutMarked(environment),
      }
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error
      throw new ServingError('INTERNAL', error.message)
    }
  }
}

// What is written down stays; the rest is what the model declares.
function complete(source: ConfigSource, signature: DeclaredSignature): ModelConfig {
  if (!source.isAutoCompleting) return source.complete(undefined)
  const { written } = source
  const maxBatchSize = written.max_batch_size || signature.maxBatchSize
  return source.completeWith({
    max_batch_size: maxBatchSize,
    ...(written.input.length === 0 && { input: signature.inputs.map(toPort) }),
    ...(written.output.length === 0 && { output: signature.outputs.map(toPort) }),
    ...(signature.isDecoupled && { model_transaction_policy: { decoupled: true } }),
    ...(maxBatchSize > 1 && written.dynamic_batching === undefined && { dynamic_batching: {} }),
  })
}

/** @throws ServingError UNSUPPORTED: `predict` would not be told what the configuration asks for. */
function refuseUntold({ written, name }: ConfigSource): void {
  const wishes = [
    [written.sequence_batching !== undefined, 'sequence_batching'],
    [written.batch_input.length > 0, 'batch_input'],
    [written.batch_output.length > 0, 'batch_output'],
    [written.input.some((input) => input.allow_ragged_batch), 'allow_ragged_batch'],
  ] as const
  const wish = wishes.find(([isAskedFor]) => isAskedFor)?.[1]
  if (wish === undefined) return
  const message = `model '${name}' asks for ${wish}, which models of Node do not offer`
  throw new ServingError('UNSUPPORTED', message)
}

function toPort({ name, datatype, dims }: DeclaredTensor) {
  return { name, data_type: toDataTypeName(datatype), dims }
}
