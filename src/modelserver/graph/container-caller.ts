import { request } from 'node:http'
import { FRAMES_HEADER, parseFramesHeader } from '../../domain/frames-address.ts'
import type { SiblingContainer } from '../../domain/sibling-containers.ts'
import { FrameTransport } from '../../gateway/frames/frame-transport.ts'
import { createHttpTransport } from '../../gateway/http-transport.ts'
import type { Transport } from '../../gateway/transport.ts'
import { FRAMES_VERSION } from '../../wire/frames.ts'
import { callTransport } from './call-transport.ts'
import type { CallTargetOf } from './endpoint-caller.ts'
import { NodeFailure } from './node-failure.ts'

const CONNECTIONS_MAX = 256
const PING_MS = 2000

/**
 * Calls another container of the instance, by frames where it speaks them.
 *
 * Containers start at the same time: the first call asks how to speak to it, and the next one asks again when it was not there.
 *
 * @param isPolling whether the event loop stays awake for replies that are about to come.
 */
export function createContainerCaller(sibling: SiblingContainer, isPolling: boolean): CallTargetOf {
  let transport: Promise<Transport> | undefined
  return async ({ headers, body }, signal) => {
    transport ??= findTransport(sibling, isPolling)
    const found = await transport.catch((error: unknown) => {
      transport = undefined
      const why = error instanceof Error ? error.message : String(error)
      throw new NodeFailure(`The container ${sibling.hostname} is not ready: ${why}.`, 503)
    })
    const target = `container ${sibling.hostname}`
    const reply = await callTransport(found, target, { headers, body }, signal)
    if (reply.status < 300) return reply
    const said = reply.body.toString('utf8').slice(0, 500)
    const status = reply.status < 500 ? reply.status : 502
    throw new NodeFailure(`The ${target} answered ${reply.status}: ${said}`, status)
  }
}

async function findTransport({ http }: SiblingContainer, isPolling: boolean): Promise<Transport> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
  const place =
    http.kind === 'socket' ? { socketPath: http.path } : { host: http.host, port: http.port }
  const asked = request({ ...place, path: '/ping', timeout: PING_MS }, (response) => {
    response.resume()
    const header = response.headers[FRAMES_HEADER]
    if (response.statusCode === 200) resolve(typeof header === 'string' ? header : undefined)
    else reject(new Error(`its ping answers ${response.statusCode}`))
  })
  asked.once('error', reject)
  asked.once('timeout', () => asked.destroy(new Error(`no answer to a ping in ${PING_MS} ms`)))
  asked.end()
  const header = await promise
  const frames = http.kind === 'socket' ? parseFramesHeader(header, http.path) : undefined
  return frames?.version === FRAMES_VERSION
    ? new FrameTransport(frames.socketPaths, { isPolling })
    : createHttpTransport(http, CONNECTIONS_MAX)
}
