import { isInProgress } from '../../domain/endpoint.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import { BerthError } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/json.ts'
import type { OperationContext } from './operation.ts'
import { inProgress, invalid, notFound } from './refusals.ts'

// The other writer is the endpoint controller, which writes a few times per change.
const ATTEMPTS_MAX = 8

/**
 * Writes an endpoint as `change` returns it. When somebody else wrote in between it reads again, and `change` looks at
 * its preconditions again.
 *
 * @throws BerthError `ValidationException`: no such endpoint, one in progress, or what `change` throws.
 */
export async function changeEndpoint(
  name: string,
  { installation, store }: OperationContext,
  change: (endpoint: Endpoint) => Endpoint | Promise<Endpoint>,
): Promise<Endpoint> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const endpoint = await store.findEndpoint(name)
    if (endpoint === undefined) throw notFound(installation, 'endpoint', name)
    if (isInProgress(endpoint.status)) throw inProgress(endpoint.arn)
    const changed = await change(endpoint)
    if (await store.saveEndpoint(changed)) return changed
  }
  throw new BerthError(
    'ServiceUnavailable',
    `Endpoint ${name} is being changed by somebody else. Repeat the call.`,
  )
}

/** @throws BerthError: the endpoint never served, or serves no more, so there is nothing to update. */
export function refuseFailed({ status, arn }: Endpoint): void {
  if (status !== 'Failed') return
  throw invalid(
    `Cannot update endpoint "${arn}" with status Failed: delete it, then create it again.`,
  )
}

/** What a caller asked for, in the endpoint's history. */
export async function recordRequest(
  { store, clock }: OperationContext,
  endpointName: string,
  event: { readonly kind: string; readonly reason: string; readonly inputs: JsonObject },
): Promise<void> {
  await store.recordEvent({ atMs: clock.nowMs(), endpointName, ...event })
}
