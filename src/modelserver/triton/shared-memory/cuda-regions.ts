import { ServingError } from '../serving-error.ts'

// Bytes of a `cudaIpcMemHandle_t`.
const HANDLE_BYTES = 64

/**
 * Refuses a region in the memory of a GPU, as a tritonserver does that has none.
 *
 * @throws ServingError INVALID_ARG, always.
 */
export function refuseCudaRegion(handle: Uint8Array): never {
  const message =
    handle.byteLength === HANDLE_BYTES
      ? 'failed to register shared memory region: invalid args'
      : "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t"
  throw new ServingError('INVALID_ARG', message)
}

/** There are none. @throws ServingError NOT_FOUND: one is asked for by name. */
export function findCudaRegions(name: string): readonly [] {
  if (name === '') return []
  throw new ServingError('NOT_FOUND', `Unable to find cuda shared memory region: '${name}'`)
}
