import { findEnsembleProblem } from '../../domain/ensemble-graph.ts'
import type { EnsembleStep } from '../../domain/ensemble.ts'
import { EnsembleRunner } from './ensemble-runner.ts'
import { readLabels } from './labels.ts'
import type { Labels } from './labels.ts'
import type { ConfigSource } from './config-source.ts'
import type { ModelConfig } from './model-config.ts'
import type { ServedVersion } from './served-version.ts'
import { ServingError } from './serving-error.ts'
import { Statistics } from './statistics.ts'

/** One version of an ensemble, to be loaded. */
export interface EnsembleToLoad {
  readonly source: ConfigSource
  readonly version: number
  readonly modelDirectory: string
}

/** Finds the version that serves a step of an ensemble now. @throws ServingError */
export type FindStep = (step: EnsembleStep) => ServedVersion

/**
 * Makes an ensemble of models that are loaded.
 *
 * @throws ServingError INVALID_ARG: they do not fit together.
 */
export async function loadEnsemble(
  { source, version, modelDirectory }: EnsembleToLoad,
  find: FindStep,
  runAheadUsMax: number,
): Promise<ServedVersion> {
  const { name } = source
  const config = source.complete(undefined)
  const { scheduling } = config
  if (scheduling.kind !== 'ensemble') {
    const message = `ensemble scheduling must be set for ensemble ${name} whose platform is ensemble`
    throw new ServingError('INVALID_ARG', message)
  }
  const { steps } = scheduling
  const composing = steps.map((step) => findComposing(name, step, find))
  const models = composing.map((served) => served.config)
  const problem = findEnsembleProblem({ ...config, steps, models })
  if (problem !== undefined) throw new ServingError('INVALID_ARG', problem)
  if (models.some(({ isDecoupled }) => isDecoupled)) {
    const message = `ensemble '${name}' has a step whose model is decoupled, which is not supported`
    throw new ServingError('UNSUPPORTED', message)
  }
  const statistics = new Statistics(Date.now)
  const runner = new EnsembleRunner({ config, steps, find, statistics, runAheadUsMax })
  const labels = new Map([
    ...inheritLabels(config, steps, composing),
    ...(await readLabels(config, modelDirectory)),
  ])
  return { name, version, config, statistics, labels, runner, loaded: undefined, close: nothing }
}

function findComposing(name: string, step: EnsembleStep, find: FindStep): ServedVersion {
  try {
    return find(step)
  } catch {
    const problem =
      step.modelVersion < 0
        ? 'which has no loaded version'
        : `whose required version ${step.modelVersion} is not loaded`
    const message = `ensemble '${name}' depends on '${step.modelName}' ${problem}`
    throw new ServingError('INVALID_ARG', message)
  }
}

// An output has the class names of the model's output that writes it.
function inheritLabels(
  { outputs }: ModelConfig,
  steps: readonly EnsembleStep[],
  composing: readonly ServedVersion[],
): Labels {
  const inherited = new Map<string, readonly string[]>()
  for (const [index, { tensorByOutput }] of steps.entries()) {
    for (const [output, tensor] of Object.entries(tensorByOutput)) {
      const labels = composing[index]?.labels.get(output)
      const isOutput = outputs.some(({ name }) => name === tensor)
      if (labels !== undefined && isOutput) inherited.set(tensor, labels)
    }
  }
  return inherited
}

function nothing(): Promise<void> {
  return Promise.resolve()
}
