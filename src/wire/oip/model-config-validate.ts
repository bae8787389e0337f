import { OipError } from './errors.ts'
import type { DynamicBatchingConfig, ModelConfig } from './model-config.ts'
import { validateEnsemble } from './ensemble-validate.ts'
import { validateSequenceBatching } from './sequence-validate.ts'

const ENSEMBLE = 'ensemble'

/**
 * Looks at what a configuration says of scheduling, before anything of the model itself is read.
 *
 * @throws OipError `INVALID_ARG` in Triton's words.
 */
export function validateModelConfig(config: ModelConfig): void {
  const { name } = config
  if (name === '') throw refusal("model configuration must specify 'name'")
  if (config.platform === '' && config.backend === '') {
    throw refusal(`must specify 'platform' or 'backend' for '${name}'`)
  }
  if (config.max_batch_size < 0) {
    throw refusal(`'max_batch_size' must be non-negative value for ${name}`)
  }
  if (config.dynamic_batching !== undefined) {
    validateDynamicBatching(config, config.dynamic_batching)
  }
  if (config.sequence_batching !== undefined) {
    validateSequenceBatching(config, config.sequence_batching)
  }
  validateCache(config)
  const isEnsemble = config.platform === ENSEMBLE
  if (isEnsemble && config.ensemble_scheduling === undefined) {
    throw refusal(`ensemble scheduling must be set for ensemble ${name} whose platform is ensemble`)
  }
  if (!isEnsemble && config.ensemble_scheduling !== undefined) {
    throw refusal(
      `ensemble scheduling cannot be set for model '${name}' whose platform is not ensemble`,
    )
  }
  if (config.ensemble_scheduling !== undefined) {
    validateEnsemble(config, config.ensemble_scheduling.step)
  }
}

function validateDynamicBatching(config: ModelConfig, batching: DynamicBatchingConfig): void {
  const { name } = config
  for (const size of batching.preferred_batch_size) {
    if (size <= 0) throw refusal(`dynamic batching preferred size must be positive for ${name}`)
    if (size > config.max_batch_size) {
      throw refusal(`dynamic batching preferred size must be <= max batch size for ${name}`)
    }
  }
  validatePriorities(name, batching)
  if (!batching.preserve_ordering) return
  if (batching.priority_levels > 1) {
    throw refusal(`Only one priority level is allowed when 'preserve_ordering' is true for ${name}`)
  }
  // The policies of single levels are not looked at.
  if (batching.default_queue_policy?.timeout_action === 'DELAY') {
    throw refusal(
      `Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for ${name}`,
    )
  }
}

function validatePriorities(name: string, batching: DynamicBatchingConfig): void {
  const { priority_levels: levels, default_priority_level: level } = batching
  if (levels === 0) return
  if (level < 1 || level > levels) {
    throw refusal(`default priority level must be in range [1, ${levels}] for ${name}`)
  }
  for (const key of Object.keys(batching.priority_queue_policy)) {
    if (Number(key) < 1 || Number(key) > levels) {
      throw refusal(
        `priority queue policy must have priority level in range [1, ${levels}] for ${name}`,
      )
    }
  }
}

function validateCache(config: ModelConfig): void {
  if (config.response_cache?.enable !== true) return
  const reason =
    config.sequence_batching !== undefined
      ? 'sequence batching scheduler'
      : config.model_transaction_policy?.decoupled === true
        ? "'decoupled' transaction policy"
        : undefined
  if (reason === undefined) return
  throw refusal(
    `Response Cache does not currently support model ${config.name} with ${reason}. Please disable the response cache.`,
  )
}

function refusal(message: string): OipError {
  return new OipError('INVALID_ARG', message)
}
