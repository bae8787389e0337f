import { OipError } from './errors.ts'
import type { JsonValue } from './json.ts'
import { findMember, getMember, stringOf, unsignedOf } from './json-members.ts'

/** A part of a region of memory that a client and the server share. */
export interface SharedPart {
  readonly region: string
  /** From the beginning of the region, in bytes. */
  readonly offset: bigint
  readonly byteSize: bigint
}

/**
 * Reads where the parameters of an input or output say that its bytes are.
 *
 * @throws OipError `INTERNAL`: a value of another type.
 */
export function parseSharedPart(parameters: JsonValue | undefined): SharedPart {
  const unsigned = (name: string): bigint => {
    const value = findMember(parameters, name)
    return value === undefined ? 0n : unsignedOf(value, name)
  }
  const name = 'shared_memory_region'
  return {
    region: parameters === undefined ? '' : stringOf(getMember(parameters, name), name),
    byteSize: unsigned('shared_memory_byte_size'),
    offset: unsigned('shared_memory_offset'),
  }
}

/** What a client hears that wants to share memory with a server that does not. */
export function sharedMemoryDisabled(): OipError {
  const message =
    "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to enable."
  return new OipError('UNSUPPORTED', message)
}
