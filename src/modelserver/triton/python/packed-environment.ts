import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { useEnvironment } from '../../python/environment/use-environment.ts'
import { InstallError, runInstaller } from '../../user-code/run-installer.ts'
import { ServingError } from '../serving-error.ts'

/** What unpacking needs. */
export interface UnpackOptions {
  /** What the config names: an archive of `conda-pack`, or a folder that was one. */
  readonly path: string
  readonly environmentsDirectory: string
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

const MODEL_DIRECTORY = '$$TRITON_MODEL_DIRECTORY'

/** The path that `EXECUTION_ENV_PATH` means. */
export function resolveExecutionPath(text: string, modelDirectory: string): string {
  return text.startsWith(MODEL_DIRECTORY)
    ? modelDirectory + text.slice(MODEL_DIRECTORY.length)
    : text
}

/**
 * Finds the Python of a packed environment. An archive is unpacked once for each content, however many models have it.
 *
 * @throws ServingError INVALID_ARG: there is none, or it cannot be unpacked.
 */
export async function unpackEnvironment(options: UnpackOptions): Promise<string> {
  const { path } = options
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) throw refusal(`${path} does not exist`)
  const folder = found.isDirectory() ? path : await unpack(options)
  const python = join(folder, 'bin', 'python')
  if (await exists(python)) return python
  throw withoutPython(path)
}

async function unpack(options: UnpackOptions): Promise<string> {
  const { path, environmentsDirectory, environment, signal } = options
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  await mkdir(environmentsDirectory, { recursive: true, mode: 0o700 })
  const place = join(environmentsDirectory, `packed-${hash.digest('hex').slice(0, 24)}`)
  const run = (command: string, args: readonly string[]): Promise<void> =>
    runInstaller({
      command,
      arguments: args,
      folder: environmentsDirectory,
      environment,
      onLine: () => undefined,
      signal,
    })
  const fill = async (made: string): Promise<void> => {
    try {
      await mkdir(made)
      await run('tar', ['-xf', path, '-C', made])
      // Its scripts name the folder that it is in; Python itself finds its packages from where it is.
      const fix = join(made, 'bin', 'conda-unpack')
      if (await exists(fix)) await run(join(made, 'bin', 'python'), [fix])
      if (!(await exists(join(made, 'bin', 'python')))) throw withoutPython(path)
    } catch (error) {
      if (error instanceof InstallError)
        throw refusal(`${path} cannot be unpacked: ${error.message}`)
      throw error
    }
  }
  return useEnvironment(place, fill, signal)
}

function withoutPython(path: string): ServingError {
  return refusal(`${path} has no bin/python; make it with conda-pack`)
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function refusal(message: string): ServingError {
  return new ServingError('INVALID_ARG', `EXECUTION_ENV_PATH: ${message}`)
}
