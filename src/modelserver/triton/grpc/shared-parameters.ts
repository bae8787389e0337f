import type { Parameters } from '../../../wire/oip/request-parameters.ts'
import type { SharedPart } from '../../../wire/oip/shared-part.ts'
import { ServingError } from '../serving-error.ts'

/**
 * Reads where the parameters of an input or output say that its bytes are; undefined for nowhere.
 *
 * @throws ServingError INVALID_ARG
 */
export function readSharedPart(parameters: Parameters, tensor: string): SharedPart | undefined {
  const region = parameters.get('shared_memory_region')
  if (region !== undefined && typeof region !== 'string') {
    throw wrongType('shared_memory_region', tensor, 'string_param')
  }
  const integer = (name: string): bigint | undefined => {
    const value = parameters.get(name)
    if (value === undefined) return undefined
    if (region === undefined) {
      throw refusal(
        `'${name}' can not be specified without 'shared_memory_region' parameter for tensor '${tensor}'`,
      )
    }
    if (typeof value !== 'bigint') throw wrongType(name, tensor, 'int64_param')
    return value
  }
  const offset = integer('shared_memory_offset') ?? 0n
  const byteSize = integer('shared_memory_byte_size')
  if (region === undefined) return undefined
  if (byteSize !== undefined) return { region, offset, byteSize }
  throw refusal(
    `'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor '${tensor}'`,
  )
}

function wrongType(name: string, tensor: string, field: string): ServingError {
  return refusal(
    `invalid value type for '${name}' parameter for tensor '${tensor}', expected ${field}.`,
  )
}

function refusal(message: string): ServingError {
  return new ServingError('INVALID_ARG', message)
}
