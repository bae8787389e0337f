import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import { StartFailure } from '../start-failure.ts'
import type { ModelRepository } from './model-repository.ts'
import type { TritonOptions } from './options.ts'
import { toServingError } from './serving-error.ts'

/**
 * Loads what is to serve from the beginning: everything, or in the explicit mode what was named.
 *
 * @throws StartFailure `modelInvalid`: one cannot be loaded, unless the server is to start all the same.
 */
export async function loadAtStart(
  repository: ModelRepository,
  options: TritonOptions,
  log: Log,
): Promise<void> {
  const { controlMode, loadNames, loadThreadCount, exitsOnError } = options
  const isAll = controlMode !== 'explicit' || loadNames.includes('*')
  const names = isAll ? await namesOf(repository) : [...new Set(loadNames)]
  const failures: string[] = []
  const waiting = [...names]
  const loadNext = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      try {
        await repository.load(name)
      } catch (error) {
        const reason = toServingError(error).message.trim()
        failures.push(reason)
        log('error', 'model not loaded', { model: name, reason })
      }
    }
  }
  await Promise.all(Array.from({ length: loadThreadCount }, loadNext))
  if (failures.length > 0 && exitsOnError) {
    throw new StartFailure('modelInvalid', `failed to load all models: ${failures.join('; ')}`)
  }
}

async function namesOf(repository: ModelRepository): Promise<readonly string[]> {
  try {
    return await repository.names()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartFailure('modelMissing', `the model repository cannot be read: ${reason}`)
  }
}

/** Follows the repositories until the signal aborts. */
export async function pollForever(
  repository: ModelRepository,
  pollMs: number,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(pollMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await repository.poll().catch((error: unknown) => {
      log('error', 'repository not read', { reason: toServingError(error).message })
    })
  }
}
