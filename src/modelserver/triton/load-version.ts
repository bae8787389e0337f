import { join } from 'node:path'
import type { Log } from '../log.ts'
import type { Backend, LoadedModel } from './backend.ts'
import type { ConfigSource } from './config-source.ts'
import { addCache, createRunner } from './create-runner.ts'
import type { SharedResources } from './create-runner.ts'
import { readLabels } from './labels.ts'
import { loadEnsemble } from './load-ensemble.ts'
import type { FindStep } from './load-ensemble.ts'
import { createSeats } from './rate-limiter.ts'
import type { ServedVersion } from './served-version.ts'
import { ServingError } from './serving-error.ts'
import { Statistics } from './statistics.ts'
import { warmUp } from './warm-up.ts'

/** The backend of models that are made of others. */
export const ENSEMBLE = 'ensemble'

/** What loading a version needs. */
export interface LoadVersionOptions {
  readonly source: ConfigSource
  readonly version: number
  readonly modelDirectory: string
  readonly backends: Readonly<Record<string, Backend>>
  readonly log: Log
  readonly findStep: FindStep
  readonly shared: SharedResources
}

/**
 * Loads one version and warms it up.
 *
 * @throws ServingError it cannot serve; nothing of it is left.
 */
export async function loadVersion(options: LoadVersionOptions): Promise<ServedVersion> {
  const { source, version, modelDirectory, backends, log, shared } = options
  if (source.backend === ENSEMBLE) {
    const served = await loadEnsemble(options, options.findStep, shared.runAheadUsMax)
    const { runner, config, statistics } = served
    return { ...served, runner: addCache(runner, config, statistics, options.shared) }
  }
  const startedAtMs = performance.now()
  const backend = backends[source.backend]
  if (backend === undefined) {
    throw new ServingError(
      'INVALID_ARG',
      `unable to find backend library for backend '${source.backend}', try specifying runtime on the model configuration.`,
    )
  }
  const versionDirectory = join(modelDirectory, String(version))
  const { name } = source
  const loaded = await backend.load(
    { name, version, modelDirectory, versionDirectory, source },
    log,
  )
  const { config, instances } = loaded
  const seats = createSeats(instances, config.instanceGroups)
  try {
    shared.turns.join(seats)
    const labels = await readLabels(config, modelDirectory)
    await warmUp(config, instances, modelDirectory)
    const statistics = new Statistics(Date.now)
    const { batchForm } = source
    const parts = { loaded, seats, modelDirectory, batchForm, statistics, shared, log }
    const runner = await createRunner(parts)
    statistics.loadSeconds = (performance.now() - startedAtMs) / 1000
    const close = async (): Promise<void> => {
      shared.turns.quit(seats)
      await closeInstances(loaded)
    }
    return { name, version, config, statistics, labels, runner, loaded, close }
  } catch (error) {
    shared.turns.quit(seats)
    await closeInstances(loaded)
    throw error
  }
}

/** Answers what a version has taken, and gives its memory back. */
export async function retireVersion({ runner, close }: ServedVersion): Promise<void> {
  await runner.drain()
  await close()
}

async function closeInstances({ instances }: LoadedModel): Promise<void> {
  await Promise.all(instances.map((instance) => instance.close()))
}
