import type { Image } from '../image.ts'
import type { Log } from '../log.ts'
import { startUserCodeImage } from '../user-code/user-code-image.ts'
import { codeFolders, installerEnvironment, parseUserSettings } from '../user-code/user-settings.ts'
import type { WorkerKind } from '../user-code/user-worker.ts'
import { preparePython } from './environment/prepare-python.ts'
import { findRequirements } from './environment/requirements.ts'
import { pythonWorkers } from './sagemaker-worker.ts'
import { workerEnvironment } from './worker-environment.ts'

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

/**
 * Starts `berth/python`: SageMaker's handler contract around the model's `inference.py`, in Python processes.
 *
 * It answers pings at once, with 503 until the environment is there and a worker has loaded the model.
 *
 * @throws StartFailure `badOptions`: a `SAGEMAKER_…` variable is out of bounds.
 */
export async function startPythonImage(options: PythonImageOptions): Promise<Image> {
  const settings = parseUserSettings(options.environment, options.workerCount)
  return startUserCodeImage({
    ...options,
    settings,
    firstStep: 'looks for Python',
    prepare: (onStep, signal) => prepareWorkers(options, settings.workerCount, { onStep, signal }),
  })
}

async function prepareWorkers(
  options: PythonImageOptions,
  workerCount: number,
  { onStep, signal }: { readonly onStep: (step: string) => void; readonly signal: AbortSignal },
): Promise<WorkerKind> {
  const { environment, modelDirectory, log } = options
  const file = await findRequirements(codeFolders(modelDirectory, environment), modelDirectory)
  const python = await preparePython({
    ...options,
    requirements: { packages: options.pythonPackages, file },
    installerEnvironment: installerEnvironment(environment),
    onProgress: onStep,
    signal,
  })
  log('info', 'python environment found', { python })
  const threadCount = Math.max(1, Math.floor(options.workerCount / workerCount))
  return pythonWorkers({
    python,
    arguments: [modelDirectory],
    environment: workerEnvironment(environment, { python, threadCount }),
  })
}
