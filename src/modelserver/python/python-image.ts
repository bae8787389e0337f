import { ImageFrames } from '../frames/image-frames.ts'
import { errorReply } from '../image.ts'
import type { Image, Invocation, Reply } from '../image.ts'
import type { Log } from '../log.ts'
import { Rejection } from '../rejection.ts'
import { preparePython } from './environment/prepare-python.ts'
import { findRequirements } from './environment/requirements.ts'
import { PythonPool } from './python-pool.ts'
import {
  codeFolders,
  installerEnvironment,
  parsePythonSettings,
  workerEnvironment,
} from './python-settings.ts'

/** What `berth/python` needs. */
export interface PythonImageOptions {
  readonly modelDirectory: string
  readonly workerCount: number
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  /** Python's executable, where the operator named one. */
  readonly python: string | undefined
  /** Where Python environments are kept and shared. */
  readonly environmentsDirectory: string
  /** Requirements that the image stands for, beside those of the model. */
  readonly pythonPackages: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Called when there turns out to be nothing to serve after the server has started. */
  readonly onStartFailure: (failure: unknown) => void
}

const HELD_BYTES_MAX = 512 * 1024 * 1024

/**
 * Starts `berth/python`: SageMaker's handler contract around the model's `inference.py`, in Python processes.
 *
 * It answers pings at once, with 503 until the environment is there and a worker has loaded the model.
 *
 * @throws StartFailure `badOptions`: a `SAGEMAKER_…` variable is out of bounds.
 */
export async function startPythonImage(options: PythonImageOptions): Promise<Image> {
  const image = new PythonImage(options)
  await image.listen()
  image.start()
  return image
}

class PythonImage implements Image {
  readonly #options: PythonImageOptions
  readonly #settings: ReturnType<typeof parsePythonSettings>
  readonly #frames: ImageFrames
  readonly #closing = new AbortController()
  #pool: PythonPool | undefined
  #step = 'looks for Python'

  constructor(options: PythonImageOptions) {
    this.#options = options
    this.#settings = parsePythonSettings(options.environment, options.workerCount)
    this.#frames = new ImageFrames(this, { ...options, heldBytesMax: HELD_BYTES_MAX })
  }

  get frameSuffixes(): readonly string[] {
    return this.#frames.suffixes
  }

  listen(): Promise<void> {
    return this.#frames.listen()
  }

  /** Makes the environment and starts the workers, while pings are answered. */
  start(): void {
    this.#startPool().catch((error: unknown) => {
      if (!this.#closing.signal.aborted) this.#options.onStartFailure(error)
    })
  }

  ping(): Promise<Reply> {
    const reason = this.#unreadiness()
    const good = { status: 200, headers: {}, body: new Uint8Array() }
    return Promise.resolve(reason === undefined ? good : errorReply(503, reason))
  }

  async invoke(invocation: Invocation, signal: AbortSignal): Promise<Reply> {
    if (this.#pool !== undefined) return this.#pool.invoke(invocation, signal)
    throw new Rejection(503, `No model to invoke: ${this.#unreadiness()}.`)
  }

  usedCount(): number {
    return this.#frames.servedCount
  }

  drain(): Promise<void> {
    return this.#frames.close()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#pool?.close()
  }

  #unreadiness(): string | undefined {
    return this.#pool === undefined ? `the instance ${this.#step}` : this.#pool.unreadiness()
  }

  async #startPool(): Promise<void> {
    const { environment, modelDirectory, log } = this.#options
    const folders = codeFolders(modelDirectory, environment)
    const file = await findRequirements(folders, modelDirectory)
    const python = await preparePython({
      ...this.#options,
      requirements: { packages: this.#options.pythonPackages, file },
      installerEnvironment: installerEnvironment(environment),
      onProgress: (step) => (this.#step = step),
      signal: this.#closing.signal,
    })
    log('info', 'python environment found', { python })
    this.#closing.signal.throwIfAborted()
    const threadCount = Math.max(
      1,
      Math.floor(this.#options.workerCount / this.#settings.workerCount),
    )
    this.#pool = new PythonPool({
      ...this.#options,
      ...this.#settings,
      launch: {
        python,
        program: 'sagemaker',
        arguments: [modelDirectory],
        environment: workerEnvironment(environment, { python, threadCount }),
      },
    })
    this.#pool.start()
  }
}
