import type { Enqueued } from './enqueued.ts'
import { withRequestId } from './enqueued.ts'
import type { CorrelationControl } from './sequence-batching.ts'
import { findCorrelationProblem } from './sequence-tensors.ts'
import { ServingError } from './serving-error.ts'

const TEXT_ID_BYTES_MAX = 128

/** Why a request can be of no sequence, in Triton's words; undefined when it can. */
export function findSequenceProblem(
  { id, batchSize, correlationId }: Pick<Enqueued, 'id' | 'batchSize' | 'correlationId'>,
  model: string,
  control: CorrelationControl | undefined,
): ServingError | undefined {
  const type = findCorrelationProblem(model, control, correlationId)
  const isGiven = correlationId !== 0n && correlationId !== ''
  if (isGiven && type !== undefined) {
    return withRequestId(id, new ServingError('INVALID_ARG', type))
  }
  if (batchSize > 1) {
    const message = `inference request to model '${model}' must specify batch-size 1 due to requirements of sequence batcher`
    return new ServingError('INVALID_ARG', message)
  }
  if (!isGiven) {
    const message = `inference request to model '${model}' must specify a non-zero or non-empty correlation ID`
    return new ServingError('INVALID_ARG', message)
  }
  if (typeof correlationId === 'string' && Buffer.byteLength(correlationId) > TEXT_ID_BYTES_MAX) {
    const message = `sequence id of a request to model '${model}' has more than ${TEXT_ID_BYTES_MAX} bytes`
    return new ServingError('UNSUPPORTED', message)
  }
  return undefined
}
