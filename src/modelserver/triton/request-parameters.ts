import type { Parameters, ParameterValue } from '../../wire/oip/request-parameters.ts'
import type { IncomingRequest } from './served-version.ts'
import { ServingError } from './serving-error.ts'

/** What the parameters of a request say to the server, and what is left for the model. */
export type RequestOptions = Pick<
  IncomingRequest,
  'parameters' | 'priority' | 'timeoutUs' | 'correlationId' | 'isSequenceStart' | 'isSequenceEnd'
> & {
  /** Whether the end of a decoupled model's answers is told by an empty one. */
  readonly wantsEmptyFinal: boolean
}

const RESERVED =
  "parameter keys starting with 'triton_' are reserved for Triton usage and should not be specified."

/**
 * Sorts the parameters of a request.
 *
 * @throws ServingError INVALID_ARG.
 */
export function sortParameters(given: Parameters): RequestOptions {
  const custom = new Map<string, ParameterValue>()
  for (const [name, value] of given) {
    if (OWN_NAMES.has(name)) continue
    if (name.startsWith('triton_')) throw new ServingError('INVALID_ARG', RESERVED)
    custom.set(name, value)
  }
  const sequence = given.get('sequence_id') ?? 0n
  return {
    parameters: custom,
    correlationId: typeof sequence === 'string' ? sequence : BigInt(sequence),
    isSequenceStart: given.get('sequence_start') === true,
    isSequenceEnd: given.get('sequence_end') === true,
    priority: Number(given.get('priority') ?? 0),
    timeoutUs: Number(given.get('timeout') ?? 0),
    wantsEmptyFinal: given.get('triton_enable_empty_final_response') === true,
  }
}

const OWN_NAMES: ReadonlySet<string> = new Set([
  'sequence_id',
  'sequence_start',
  'sequence_end',
  'priority',
  'timeout',
  'triton_enable_empty_final_response',
])
