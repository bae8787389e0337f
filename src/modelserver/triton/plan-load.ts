import { rm } from 'node:fs/promises'
import { chooseVersions } from '../../domain/version-policy.ts'
import type { Log } from '../log.ts'
import type { ConfigSource } from './config-source.ts'
import { writeOverride } from './load-override.ts'
import type { LoadOverride } from './load-override.ts'
import { fingerprint, listVersions } from './scan-repository.ts'
import { ServingError, toServingError } from './serving-error.ts'

/** Reads a model's configuration. */
export type ReadConfig = (model: {
  readonly name: string
  readonly modelDirectory: string
  readonly versions: readonly number[]
  readonly override: string | undefined
}) => Promise<ConfigSource>

/** What a load is to bring. */
export interface LoadPlan {
  readonly source: ConfigSource
  readonly modelDirectory: string
  readonly versions: readonly number[]
  /** Says all that decides what is loaded: what is of the same form is loaded already. */
  readonly form: string
  /** The folder is the load's own, and is removed with the model. */
  readonly isOverride: boolean
}

/** What there is to load. */
export interface LoadWish extends LoadOverride {
  readonly name: string
  /** The model's folder in the repositories, if it is in one. */
  readonly folder: string | undefined
}

/**
 * Reads what a load is to bring: the model's configuration and which of its versions.
 *
 * @throws ServingError; nothing is left of an override then.
 */
export async function planLoad(
  { name, folder, config, files }: LoadWish,
  readConfig: ReadConfig,
  log: Log,
): Promise<LoadPlan> {
  const isOverride = files !== undefined && files.size > 0
  const modelDirectory = isOverride ? await writeOverride(files) : folder
  try {
    if (modelDirectory === undefined) throw new ServingError('INTERNAL', 'no folder to load')
    const present = await listVersions(modelDirectory, log)
    if (present.length === 0) throw noVersion(name)
    const model = { name, modelDirectory, versions: present, override: config }
    const source = await readConfig(model)
    const versions = chooseVersions(source.versionPolicy, present)
    if (versions.length === 0) throw noVersion(name)
    const form = `${modelDirectory}\n${config ?? ''}\n${await fingerprint(modelDirectory)}`
    return { source, modelDirectory, versions, form, isOverride }
  } catch (error) {
    if (isOverride && modelDirectory !== undefined) {
      await rm(modelDirectory, { recursive: true, force: true })
    }
    const { code, message } = toServingError(error)
    throw new ServingError(
      code,
      `failed to load '${name}', failed to poll from model repository: ${message}`,
    )
  }
}

function noVersion(name: string): ServingError {
  const message = `at least one version must be available under the version policy of model '${name}'`
  return new ServingError('INVALID_ARG', message)
}
