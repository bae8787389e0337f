import { readdir } from 'node:fs/promises'
import { ImageFrames } from '../frames/image-frames.ts'
import { jsonReply } from '../image.ts'
import type { Image, Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { StartFailure } from '../start-failure.ts'
import { parseBackendSettings } from './backend-settings.ts'
import { RUN_AHEAD_US_DEFAULT } from './flags.ts'
import { errorReply } from './http/http-call.ts'
import { inferOverHttp } from './http/infer-routes.ts'
import { ModelRepository } from './model-repository.ts'
import { NodeBackend } from './node/node-backend.ts'
import { OnnxBackend } from './onnx/onnx-backend.ts'
import { UNLIMITED } from './rate-limiter.ts'
import { createConfigReader } from './read-config.ts'
import { PythonBackend } from './python/python-backend.ts'
import { ServingError, toServingError } from './serving-error.ts'

/** What `berth/triton` needs. */
export interface TritonImageOptions {
  readonly modelDirectory: string
  readonly bodyBytesMax: number
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  /** Python's executable, where the operator named one. */
  readonly python: string | undefined
  /** Where Python environments are kept and shared. */
  readonly environmentsDirectory: string
  /** Where npm packages of models are kept and shared. */
  readonly packagesDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Called when there turns out to be nothing to serve after the server has started. */
  readonly onStartFailure: (failure: unknown) => void
}

const HELD_BYTES_MAX = 512 * 1024 * 1024
// Source: reference §13.1; the platform strips headers that it does not know, so the length is in the type.
const BINARY_TYPE = 'application/vnd.sagemaker-triton.binary+json;json-header-size='

/**
 * Starts `berth/triton`: the Triton repository that is the model data, behind SageMaker's container contract. One of its
 * models is invoked; it may be an ensemble of others.
 *
 * @throws StartFailure `modelMissing`: which model is not to be told.
 */
export async function startTritonImage(options: TritonImageOptions): Promise<Image> {
  const { modelDirectory, environment, onStartFailure } = options
  const modelName = await findModelName(modelDirectory, environment)
  const image = new TritonImage(options, modelName)
  await image.listen()
  image.load().catch(onStartFailure)
  return image
}

// Source: reference §13.2, the launch script of the SageMaker image.
async function findModelName(
  modelDirectory: string,
  environment: TritonImageOptions['environment'],
): Promise<string> {
  const entries = await readdir(modelDirectory, { withFileTypes: true }).catch(() => [])
  if (entries.some(({ name }) => name === 'config.pbtxt')) {
    const expected = 'expected a folder for each model, with config.pbtxt in it'
    throw new StartFailure('modelMissing', `Incorrect directory structure: ${expected}`)
  }
  const given = environment['SAGEMAKER_TRITON_DEFAULT_MODEL_NAME']
  if (given !== undefined && given !== '') return given
  const names = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  const found = names.length === 0 ? 'there is none' : `there are ${names.length}`
  throw new StartFailure(
    'modelMissing',
    `SAGEMAKER_TRITON_DEFAULT_MODEL_NAME is not set and the model data is not one model's folder: ${found}`,
  )
}

class TritonImage implements Image {
  readonly #options: TritonImageOptions
  readonly #modelName: string
  readonly #python: PythonBackend
  readonly #node: NodeBackend
  readonly #repository: ModelRepository
  readonly #frames: ImageFrames

  constructor(options: TritonImageOptions, modelName: string) {
    const { modelDirectory, log } = options
    const settings = parseBackendSettings([], [])
    this.#options = options
    this.#modelName = modelName
    this.#python = new PythonBackend({
      ...options,
      limits: settings.python,
      models: {
        find: (name, version) => this.#repository.find(name, version),
        isReady: (name, version) => this.#repository.isModelReady(name, version),
        load: refuseControl,
        unload: refuseControl,
      },
    })
    this.#node = new NodeBackend({ ...options, limits: settings.node })
    this.#repository = new ModelRepository({
      repositories: [modelDirectory],
      backends: { onnxruntime: new OnnxBackend(), python: this.#python, node: this.#node },
      readConfig: createConfigReader({ isAutoCompleting: true, configName: '', ...settings }),
      shared: { turns: UNLIMITED, cache: undefined, runAheadUsMax: RUN_AHEAD_US_DEFAULT },
      log,
    })
    this.#frames = new ImageFrames(this, { ...options, heldBytesMax: HELD_BYTES_MAX })
  }

  get frameSuffixes(): readonly string[] {
    return this.#frames.suffixes
  }

  listen(): Promise<void> {
    return this.#frames.listen()
  }

  /** @throws StartFailure `modelInvalid`. */
  async load(): Promise<void> {
    try {
      await this.#repository.load(this.#modelName)
    } catch (error) {
      throw new StartFailure('modelInvalid', toServingError(error).message)
    }
  }

  ping(): Promise<Reply> {
    const isReady = this.#repository.versionsOf(this.#modelName).length > 0
    const error = 'the model is being loaded'
    const good = { status: 200, headers: {}, body: new Uint8Array() }
    return Promise.resolve(isReady ? good : jsonReply(503, { error }))
  }

  async invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    const { body, headers } = invocation
    const type = headers['content-type'] ?? ''
    const headerLength = type.startsWith(BINARY_TYPE) ? type.slice(BINARY_TYPE.length) : undefined
    const jsonBytesMax = this.#options.bodyBytesMax
    try {
      const served = this.#repository.find(this.#modelName, undefined)
      const call = { body, headerLength, jsonBytesMax, signal }
      return toReply(await inferOverHttp(served, call))
    } catch (error) {
      return toReply(errorReply(toServingError(error)))
    }
  }

  usedCount(): number {
    return this.#frames.servedCount
  }

  drain(): Promise<void> {
    return this.#frames.close()
  }

  close(): Promise<void> {
    this.#python.close()
    this.#node.close()
    return this.#repository.close()
  }
}

function refuseControl(): Promise<never> {
  const message = 'explicit model load / unload is not allowed behind an endpoint'
  return Promise.reject(new ServingError('UNAVAILABLE', message))
}

function toReply({ status, headers, body }: Awaited<ReturnType<typeof inferOverHttp>>): Reply {
  const own = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
  const { 'inference-header-content-length': jsonBytes, ...others } = own
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body
  if (jsonBytes === undefined) return { status, headers: others, body: bytes }
  return {
    status,
    headers: { ...others, 'content-type': `${BINARY_TYPE}${jsonBytes}` },
    body: bytes,
  }
}
