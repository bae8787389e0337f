import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

import type { Log } from '../platform/log.ts'
import type { ProtocolFamily } from '../wire/auth-errors.ts'
import { chooseDestination } from '../wire/aws-dispatch.ts'
import type { Destination } from '../wire/aws-dispatch.ts'
import { HEAD_BYTES_MAX } from '../wire/http-head.ts'
import { answerFailure, sendReply } from './answer.ts'
import { readBody } from './body.ts'
import type { ClientSink } from './client-sink.ts'
import { Front } from './front/front.ts'
import { refuseMalformed } from './malformed.ts'
import { NodeSink } from './node-sink.ts'
import { passOn } from './pass-on.ts'
import { serveInvocation } from './serve-invocation.ts'
import type { Incoming, RuntimeDestination, ServeInvocationDeps } from './serve-invocation.ts'

// How soon a client that is too slow with its head is noticed after its time is up.
const TIMEOUT_GRANULARITY_MS = 500

/** What the server takes from its surroundings. */
export interface ServerDeps extends ServeInvocationDeps {
  readonly controlSocket: string
  /** Whether new work should come here: routes are known and it is not stopping. */
  readonly isReady: () => boolean
  readonly isStopping: () => boolean
  readonly log: Log
}

/** The server of the public port. */
export interface GatewayServer {
  /** Listens, and counts all connections. */
  readonly listener: Server
  closeIdleConnections(): void
  closeAllConnections(): void
}

/**
 * The public port: invocations are served here, health is answered here, everything else goes to control.
 *
 * Regular invocations are read by the raw front where `limits.front` is `strict`, everything else by node's HTTP server.
 * Slow clients: the head must come within `headersTimeoutMs`, a body within `bodyTimeoutMs`. Node's strict parser
 * refuses a message with two lengths, or with a length and chunks.
 */
export function createGatewayServer(deps: ServerDeps): GatewayServer {
  const listener = createNodeServer(deps)
  const front = deps.limits.front === 'strict' ? putFrontBefore(listener, deps) : undefined
  return {
    listener,
    closeIdleConnections: () => {
      front?.closeIdleConnections()
      listener.closeIdleConnections()
    },
    closeAllConnections: () => {
      front?.closeAllConnections()
      listener.closeAllConnections()
    },
  }
}

// Connections come to the front first; node's own listener gets those that the front gives away.
function putFrontBefore(server: Server, deps: ServerDeps): Front {
  const serveByNode = server.listeners('connection')
  server.removeAllListeners('connection')
  const front = new Front({
    ...deps,
    serve: async (incoming, destination) => {
      try {
        await serveInvocation(incoming, destination, deps)
      } catch (error) {
        const { requestId, client } = incoming
        answerFailure(client, error, { family: 'rest-json', requestId, log: deps.log })
      }
    },
    handOver: (socket, unread) => {
      // Paused, so that the bytes wait for node's listeners; resumed, they are the first that node reads.
      socket.pause()
      socket.unshift(unread)
      for (const listener of serveByNode) Reflect.apply(listener, server, [socket])
      socket.resume()
    },
  })
  server.on('connection', (socket) => front.accept(socket))
  server.once('listening', () => front.start())
  server.once('close', () => front.stop())
  return front
}

function createNodeServer(deps: ServerDeps): Server {
  const { limits, log } = deps
  const responseBySocket = new WeakMap<Duplex, ServerResponse>()
  const server = createServer({
    maxHeaderSize: HEAD_BYTES_MAX,
    headersTimeout: limits.headersTimeoutMs,
    // The time for a body depends on the operation: an upload may take an hour.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: TIMEOUT_GRANULARITY_MS,
    noDelay: true,
  })
  const accept = (expectsContinue: boolean) => {
    return (request: IncomingMessage, response: ServerResponse): void => {
      responseBySocket.set(request.socket, response)
      if (deps.isStopping()) response.shouldKeepAlive = false
      void serve({ request, response, expectsContinue }, deps)
    }
  }
  server.maxConnections = limits.connectionsMax
  server.on('request', accept(false))
  server.on('checkContinue', accept(true))
  server.on('clientError', (error, socket) => {
    refuseMalformed(error, socket, responseBySocket.get(socket))
  })
  server.on('drop', () =>
    log.debug({ connectionsMax: limits.connectionsMax }, 'connection dropped'),
  )
  return server
}

interface NodeExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
}

async function serve(exchange: NodeExchange, deps: ServerDeps): Promise<void> {
  const incoming = createIncoming(exchange)
  const destination = chooseDestination(incoming.head)
  try {
    await serveDestination(incoming, destination, { exchange, deps })
  } catch (error) {
    const { requestId } = incoming
    answerFailure(incoming.client, error, {
      family: familyOf(destination),
      requestId,
      log: deps.log,
    })
  }
}

function createIncoming({ request, response, expectsContinue }: NodeExchange): Incoming {
  const { method = '', url = '', rawHeaders, headers } = request
  return {
    head: { method, rawTarget: url, rawHeaders },
    announcedBytes: Number(headers['content-length'] ?? 0),
    requestId: randomUUID(),
    client: new NodeSink(request, response),
    receiveBody: (limits) => {
      if (expectsContinue) response.writeContinue()
      return readBody(request, limits)
    },
  }
}

async function serveDestination(
  incoming: Incoming,
  destination: Destination,
  { exchange, deps }: { readonly exchange: NodeExchange; readonly deps: ServerDeps },
): Promise<void> {
  const { request, response } = exchange
  if (isRuntime(destination)) await serveInvocation(incoming, destination, deps)
  else if (isHealthRoute(request, destination)) {
    answerHealth(incoming.client, destination.path, deps)
  } else {
    const { controlSocket, clock, limits } = deps
    await passOn(request, response, { controlSocket, clock, bodyTimeoutMs: limits.bodyTimeoutMs })
  }
}

function isRuntime(destination: Destination): destination is RuntimeDestination {
  if (destination.kind === 'runtime') return true
  if (destination.kind !== 'not-offered') return false
  return destination.family === 'rest-json' && destination.service === 'sagemaker'
}

function isHealthRoute(
  request: IncomingMessage,
  destination: Destination,
): destination is Extract<Destination, { kind: 'health' | 'berth' }> {
  if (destination.kind === 'health') return true
  const isGet = request.method === 'GET' || request.method === 'HEAD'
  return isGet && destination.kind === 'berth' && destination.path === '/berth/ready'
}

// `/berth/health` is for "restart me", `/berth/ready` for "send me traffic". Neither is signed.
function answerHealth(client: ClientSink, path: string, deps: ServerDeps): void {
  const isReady = path !== '/berth/ready' || deps.isReady()
  const status = path === '/berth/ready' ? (isReady ? 'ready' : 'not-ready') : 'live'
  sendReply(client, {
    status: isReady ? 200 : 503,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ status }),
  })
}

function familyOf(destination: Destination): ProtocolFamily {
  switch (destination.kind) {
    case 'sagemaker':
      return 'json'
    case 'runtime':
    case 'health':
    case 'berth':
      return 'rest-json'
    case 'sts':
      return 'query'
    case 's3':
      return 's3'
    case 'not-offered':
      return destination.family
  }
}
