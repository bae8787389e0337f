import { BerthError } from '../../domain/errors.ts'
import type { EndpointEvent } from '../../domain/event.ts'
import type { ControlDeps } from '../deps.ts'
import { notFound } from '../sagemaker/refusals.ts'
import { integerParameter } from './parameters.ts'

/** How many events a reply may hold; the store keeps no more of one endpoint. */
export const EVENT_LIMIT = { default: 50, min: 0, max: 500 }

/**
 * `GET /berth/events?endpoint=NAME&limit=N`: the events of an endpoint, newest first.
 *
 * @throws BerthError `ValidationException`: no endpoint named, or no such endpoint.
 */
export async function listEndpointEvents(
  query: URLSearchParams,
  { store, installation }: ControlDeps,
): Promise<{ readonly events: readonly EndpointEvent[] }> {
  const name = query.get('endpoint')
  if (name === null) throw new BerthError('ValidationException', 'Parameter endpoint is required.')
  const limit = integerParameter(query, 'limit', EVENT_LIMIT)
  const endpoint = await store.findEndpoint(name)
  if (endpoint === undefined) throw notFound(installation, 'endpoint', name.slice(0, 64))
  return { events: await store.listEvents(endpoint.name, limit) }
}
