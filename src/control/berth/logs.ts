import { once } from 'node:events'
import type { Exchange } from '../deps.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import { invalid, notFound } from '../sagemaker/refusals.ts'
import { booleanParameter, integerParameter } from './parameters.ts'

const LINE_COUNT = { default: 100, min: 0, max: 10_000 }

/**
 * `GET /berth/endpoints/NAME/logs?lines=N&follow=true&container=HOSTNAME`: what the endpoint's containers wrote, or only
 * the one of several that has this hostname; one JSON object a line. Reads no faster than the client does; ends with it, or when the platform stops.
 *
 * @throws BerthError `ValidationException`: no such endpoint, or no such container among several.
 */
export async function streamLogs(
  name: string,
  query: URLSearchParams,
  { response, requestId, signal, deps }: Exchange,
): Promise<undefined> {
  const lineCount = integerParameter(query, 'lines', LINE_COUNT)
  const follow = booleanParameter(query, 'follow')
  const containerHostname = query.get('container') ?? undefined
  const endpoint = await deps.store.findEndpoint(name)
  if (endpoint === undefined) throw notFound(deps.installation, 'endpoint', name)
  if (containerHostname !== undefined) assertContainer(endpoint, containerHostname)
  const wanted = AbortSignal.any([signal, deps.stopping])
  const request = { endpointName: endpoint.name, containerHostname, lineCount, follow }
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

// Of one container by itself nothing is to be told apart.
function assertContainer({ name, serving, deployment }: Endpoint, hostname: string): void {
  const green = deployment !== undefined && 'green' in deployment ? [deployment.green] : []
  const variants = [...(serving === undefined ? [] : [serving]), ...green].flatMap(
    (generation) => generation.variants,
  )
  const several = variants.flatMap(({ containers }) => (containers.length > 1 ? containers : []))
  const hostnames = [...new Set(several.map((container) => container.hostname))]
  if (hostnames.includes(hostname)) return
  const known =
    hostnames.length === 0 ? 'each of its instances has one' : `it has ${hostnames.join(', ')}`
  throw invalid(`Endpoint ${name} has no container ${hostname} among several: ${known}.`)
}
