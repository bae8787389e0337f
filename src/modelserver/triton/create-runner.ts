import type { Log } from '../log.ts'
import type { LoadedModel } from './backend.ts'
import type { BatchForm } from './batch-form.ts'
import { CachingRunner } from './caching-runner.ts'
import { readInitialStates } from './initial-states.ts'
import type { ModelConfig } from './model-config.ts'
import type { Seat, Turns } from './rate-limiter.ts'
import type { ResponseCache } from './response-cache.ts'
import type { Runner } from './runner.ts'
import { Scheduler } from './scheduler.ts'
import { SequenceScheduler } from './sequence-scheduler.ts'
import type { Statistics } from './statistics.ts'

/** What all models of a server share. */
export interface SharedResources {
  readonly turns: Turns
  /** Undefined: no answers are kept. */
  readonly cache: ResponseCache | undefined
  /** How long the thread of one model may run what an ensemble asks of others next, in microseconds; 0: never. */
  readonly runAheadUsMax: number
}

/** What a runner is made of. */
export interface RunnerParts {
  readonly loaded: LoadedModel
  readonly seats: readonly Seat[]
  readonly modelDirectory: string
  readonly batchForm: BatchForm | undefined
  readonly statistics: Statistics
  readonly shared: SharedResources
  readonly log: Log
}

/**
 * Creates what runs the requests of a version that is loaded.
 *
 * @throws ServingError INVALID_ARG: the first state of its sequences cannot be read.
 */
export async function createRunner(parts: RunnerParts): Promise<Runner> {
  const { loaded, seats, statistics, shared, log } = parts
  const { config } = loaded
  const { scheduling, maxBatchSize, name: model } = config
  const raggedInputs = parts.batchForm?.raggedInputs ?? new Set<string>()
  const common = { seats, turns: shared.turns, maxBatchSize, raggedInputs, statistics }
  if (scheduling.kind === 'sequence') {
    const { batching } = scheduling
    for (const { inputName, memoryHints } of batching.states) {
      if (memoryHints.length === 0) continue
      const hints = memoryHints.join(', ')
      log('info', 'memory hints of a state have no effect', { model, state: inputName, hints })
    }
    const initialStates = await readInitialStates(config, parts.modelDirectory)
    return new SequenceScheduler({ ...common, model, batching, initialStates, log })
  }
  const batching = scheduling.kind === 'dynamic' ? scheduling.batching : undefined
  const { followUpModel } = loaded
  return addCache(new Scheduler({ ...common, batching, followUpModel }), config, statistics, shared)
}

/** Puts the cache in front of a runner, if its config asks for that and there is one; otherwise, as in Triton, nothing. */
export function addCache(
  runner: Runner,
  { isCached }: ModelConfig,
  statistics: Statistics,
  { cache }: SharedResources,
): Runner {
  return isCached && cache !== undefined ? new CachingRunner(runner, cache, statistics) : runner
}
