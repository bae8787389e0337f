import { OipError } from '../../wire/oip/errors.ts'
import type { ModelConfig } from '../../wire/oip/model-config.ts'

/**
 * Refuses what a config asks for and this server does not do: a model that ran without it would give other answers.
 *
 * @throws OipError UNSUPPORTED
 */
export function refuseUnsupported(config: ModelConfig): void {
  const wishes: readonly (readonly [isAskedFor: boolean, wish: string])[] = [
    [config.sequence_batching !== undefined, 'sequence_batching'],
    [config.batch_input.length > 0, 'batch_input'],
    [config.batch_output.length > 0, 'batch_output'],
    [config.input.some((input) => input.allow_ragged_batch), 'allow_ragged_batch'],
  ]
  const found = wishes.find(([isAskedFor]) => isAskedFor)
  if (found === undefined) return
  const message = `model '${config.name}' asks for ${found[1]}, which this server does not offer`
  throw new OipError('UNSUPPORTED', message)
}
