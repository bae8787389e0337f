import { once } from 'node:events'
import type { Exchange } from '../deps.ts'
import { notFound } from '../sagemaker/refusals.ts'
import { booleanParameter, integerParameter } from './parameters.ts'

const LINE_COUNT = { default: 100, min: 0, max: 10_000 }

/**
 * `GET /berth/endpoints/NAME/logs?lines=N&follow=true`: what the endpoint's containers wrote, one JSON object a line.
 * Reads no faster than the client does; ends with it, or when the platform stops.
 *
 * @throws BerthError `ValidationException`: no such endpoint.
 */
export async function streamLogs(
  name: string,
  query: URLSearchParams,
  { response, requestId, signal, deps }: Exchange,
): Promise<undefined> {
  const lineCount = integerParameter(query, 'lines', LINE_COUNT)
  const follow = booleanParameter(query, 'follow')
  const endpoint = await deps.store.findEndpoint(name)
  if (endpoint === undefined) throw notFound(deps.installation, 'endpoint', name)
  const wanted = AbortSignal.any([signal, deps.stopping])
  const request = { endpointName: endpoint.name, lineCount, follow }
  response.writeHead(200, {
    'Content-Type': 'application/x-ndjson',
    'x-amzn-RequestId': requestId,
  })
  // Who follows wants to know that the stream stands before the first line comes.
  response.flushHeaders()
  try {
    for await (const line of deps.fleetRuntime.readLogs(request, wanted)) {
      if (response.write(`${JSON.stringify(line)}\n`)) continue
      await once(response, 'drain', { signal: wanted })
    }
  } catch (error) {
    if (!deps.stopping.aborted) throw error
  }
  response.end()
}
