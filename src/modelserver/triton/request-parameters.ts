import type { Parameters, ParameterValue } from './backend.ts'
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
  const custom: Record<string, ParameterValue> = {}
  const own: Record<string, ParameterValue> = {}
  for (const [name, value] of Object.entries(given)) {
    if (OWN_NAMES.has(name)) own[name] = value
    else if (name.startsWith('triton_')) throw new ServingError('INVALID_ARG', RESERVED)
    else custom[name] = value
  }
  const { sequence_id: sequence = 0n, priority = 0, timeout = 0 } = own
  return {
    parameters: custom,
    correlationId: typeof sequence === 'string' ? sequence : BigInt(Number(sequence)),
    isSequenceStart: own['sequence_start'] === true,
    isSequenceEnd: own['sequence_end'] === true,
    priority: Number(priority),
    timeoutUs: Number(timeout),
    wantsEmptyFinal: own['triton_enable_empty_final_response'] === true,
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
