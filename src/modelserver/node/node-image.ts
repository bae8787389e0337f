import type { Image } from '../image.ts'
import type { Log } from '../log.ts'
import { startUserCodeImage } from '../user-code/user-code-image.ts'
import {
  codeFolders,
  installerEnvironment,
  parseUserSettings,
  withoutMarked,
} from '../user-code/user-settings.ts'
import { preparePackages } from './environment/prepare-packages.ts'
import { parseHeapMb } from './heap-limit.ts'
import { nodeWorkers } from './node-workers.ts'

/** What `berth/node` needs. */
export interface NodeImageOptions {
  readonly modelDirectory: string
  readonly workerCount: number
  readonly waitingMax: number
  readonly bodyBytesMax: number
  /** Frames are taken beside it; undefined where the server listens on a port. */
  readonly socketPath: string | undefined
  /** Where installed packages are kept and shared. */
  readonly packagesDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
  /** Called when there turns out to be nothing to serve after the server has started. */
  readonly onStartFailure: (failure: unknown) => void
}

/**
 * Starts `berth/node`: the handler contract around the model's `inference.ts` or `.js`, in threads of this process.
 *
 * It answers pings at once, with 503 until the packages are there and a thread has loaded the model.
 *
 * @throws StartFailure `badOptions`: a `SAGEMAKER_…` or `BERTH_…` variable is out of bounds.
 */
export async function startNodeImage(options: NodeImageOptions): Promise<Image> {
  const { environment, modelDirectory, workerCount } = options
  const settings = parseUserSettings(environment, workerCount)
  const heapMbMax = parseHeapMb(environment)
  const folders = codeFolders(modelDirectory, environment)
  return startUserCodeImage({
    ...options,
    settings,
    firstStep: 'looks at its packages',
    prepare: async (onStep, signal) => {
      const packagesFolder = await preparePackages({
        ...options,
        codeFolders: folders,
        installerEnvironment: installerEnvironment(environment),
        onProgress: onStep,
        signal,
      })
      const data = {
        modelDirectory,
        codeFolders: folders,
        program: environment['SAGEMAKER_PROGRAM'] || undefined,
        defaultProgram: 'inference',
        manifestName: 'code/package.json',
        packagesFolder,
        defaultAccept: environment['SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT'] || 'application/json',
      }
      return nodeWorkers({ data, heapMbMax, environment: withoutMarked(environment) })
    },
  })
}
