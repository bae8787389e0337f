import { OipError } from '../../wire/oip/errors.ts'
import type { ModelConfig } from '../../wire/oip/model-config.ts'

/**
 * Refuses what a config asks for and this server does not do: a model that ran without it would give other answers.
 *
 * @throws OipError UNSUPPORTED
 */
export function refuseUnsupported(config: ModelConfig): void {
  const wishes: readonly (readonly [isAskedFor: boolean, wish: string])[] = [
    [config.sequence_batching?.iterative_sequence === true, 'iterative_sequence'],
    [hasRaggedWithoutBatch(config), 'allow_ragged_batch without a max_batch_size'],
  ]
  const found = wishes.find(([isAskedFor]) => isAskedFor)
  if (found === undefined) return
  const message = `model '${config.name}' asks for ${found[1]}, which this server does not offer`
  throw new OipError('UNSUPPORTED', message)
}

function hasRaggedWithoutBatch({ input, max_batch_size: maxBatchSize }: ModelConfig): boolean {
  return maxBatchSize === 0 && input.some((one) => one.allow_ragged_batch)
}
