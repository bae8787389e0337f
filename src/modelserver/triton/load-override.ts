import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { ServingError } from './serving-error.ts'

/** What stands instead of what the repository says, for one load. */
export interface LoadOverride {
  /** JSON in the form of the config protocol. */
  readonly config?: string
  /** Contents by path below the model's folder; needs a config. */
  readonly files?: ReadonlyMap<string, Uint8Array>
}

/** @throws ServingError INVALID_ARG: files without a config. */
export function createOverride(
  config: string | undefined,
  files: ReadonlyMap<string, Uint8Array>,
): LoadOverride {
  if (files.size > 0 && config === undefined) {
    throw new ServingError(
      'INVALID_ARG',
      "failed to load model: override model directory requires override model configuration 'config'",
    )
  }
  return { ...(config !== undefined && { config }), ...(files.size > 0 && { files }) }
}

/**
 * Writes the files of an override into a folder of their own, which the caller removes.
 *
 * @throws ServingError INVALID_ARG: a path leads out of it.
 */
export async function writeOverride(files: ReadonlyMap<string, Uint8Array>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-model-'))
  for (const [name, bytes] of files) {
    const path = normalize(join(directory, name))
    if (!path.startsWith(`${directory}/`)) {
      await rm(directory, { recursive: true, force: true })
      throw new ServingError('INVALID_ARG', `file path '${name}' escapes the model directory`)
    }
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, bytes)
  }
  return directory
}
