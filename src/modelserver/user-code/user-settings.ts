import { join } from 'node:path'
import { parseInteger } from '../options.ts'
import { StartFailure } from '../start-failure.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** What the model's environment asks for. */
export interface UserSettings {
  readonly workerCount: number
  /** A worker that is silent for so long within a call is replaced. */
  readonly callMsMax: number
}

/**
 * The variables by which SageMaker's inference toolkit is set.
 *
 * @throws StartFailure `badOptions`: one is out of bounds.
 */
export function parseUserSettings(env: Variables, workerCount: number): UserSettings {
  const problems: string[] = []
  const workers = {
    name: 'SAGEMAKER_MODEL_SERVER_WORKERS',
    text: env['SAGEMAKER_MODEL_SERVER_WORKERS'],
    fallback: workerCount,
    min: 1,
    max: 256,
  }
  const seconds = {
    name: 'SAGEMAKER_MODEL_SERVER_TIMEOUT',
    text: env['SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS'] ?? env['SAGEMAKER_MODEL_SERVER_TIMEOUT'],
    fallback: 60,
    min: 1,
    max: 86_400,
  }
  const settings = {
    workerCount: parseInteger(workers, problems),
    callMsMax: parseInteger(seconds, problems) * 1000,
  }
  if (problems.length > 0) throw new StartFailure('badOptions', problems.join('; '))
  return settings
}

const MODEL_DIRECTORY_OF_IMAGES = '/opt/ml/model'

/** Where user code may be, best first. `berth_worker/sagemaker.py` looks in the same order. */
export function codeFolders(modelDirectory: string, env: Variables): readonly string[] {
  const submitted = env['SAGEMAKER_SUBMIT_DIRECTORY'] ?? ''
  const isInModel = submitted.startsWith(MODEL_DIRECTORY_OF_IMAGES)
  const own = isInModel
    ? [modelDirectory + submitted.slice(MODEL_DIRECTORY_OF_IMAGES.length)]
    : submitted.startsWith('/')
      ? [submitted]
      : []
  return [...own, join(modelDirectory, 'code'), modelDirectory]
}

// Set by the process runtime: of package indexes and proxies, which are the installer's business alone.
const INSTALLER_PREFIX = 'BERTH_INSTALLER_'

/** What an installer sees: this process's environment and what is marked as meant for it. */
export function installerEnvironment(env: Variables): Readonly<Record<string, string>> {
  const marked = defined(env)
    .filter(([name]) => name.startsWith(INSTALLER_PREFIX))
    .map(([name, value]) => [name.slice(INSTALLER_PREFIX.length), value] as const)
  return { ...withoutMarked(env), ...Object.fromEntries(marked) }
}

/** What user code sees of this process's environment. */
export function withoutMarked(env: Variables): Readonly<Record<string, string>> {
  return Object.fromEntries(defined(env).filter(([name]) => !name.startsWith(INSTALLER_PREFIX)))
}

function defined(env: Variables): readonly (readonly [string, string])[] {
  return Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
}
