import type { InferenceResponse } from './backend.ts'
import { submit } from './served-version.ts'
import type { IncomingRequest, ServedVersion } from './served-version.ts'

/**
 * Runs a request whose model answers once.
 *
 * @throws ServingError
 */
export function inferOnce(
  served: ServedVersion,
  request: IncomingRequest,
): Promise<InferenceResponse> {
  return new Promise((resolve, reject) => {
    submit(served, request, { respond: (response) => resolve(response), fail: reject })
  })
}
