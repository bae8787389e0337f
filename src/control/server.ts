import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { chooseDestination, notOfferedError } from '../wire/aws-dispatch.ts'
import type { Destination } from '../wire/aws-dispatch.ts'
import type { ErrorFamily } from '../wire/errors.ts'
import { authenticate } from './authenticate.ts'
import type { Authenticated, Expected } from './authenticate.ts'
import { answerBerthRoute } from './berth/routes.ts'
import type { ControlDeps, Exchange } from './deps.ts'
import { sendAuthError, sendFailure, sendJson, sendReply } from './reply.ts'
import { runOperation } from './sagemaker/operations.ts'
import { runStsAction } from './sts/actions.ts'

// A gateway keeps its connections to control; Node's own 5 s would race with a request on its way.
const KEEP_ALIVE_MS = 65_000

/**
 * The API: everything the gateways do not answer themselves. Authenticates and answers each request; the caller
 * listens on a Unix socket with it, or on a port.
 */
export function createControlServer(deps: ControlDeps): Server {
  // No limit on the whole request: an upload takes as long as it takes. Bodies of operations have their own.
  return createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 },
    (request, response) => {
      void answer(createExchange(request, response, deps))
    },
  )
}

function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  deps: ControlDeps,
): Exchange {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return { request, response, requestId: randomUUID(), signal: gone.signal, deps }
}

async function answer(exchange: Exchange): Promise<void> {
  const { method = '', url = '', rawHeaders } = exchange.request
  const destination = chooseDestination({ method, rawTarget: url, rawHeaders })
  try {
    await answerAt(destination, exchange)
  } catch (thrown) {
    sendFailure(exchange, familyOf(destination), thrown)
  }
}

async function answerAt(destination: Destination, exchange: Exchange): Promise<void> {
  const { request, response, requestId, deps } = exchange
  if (destination.kind === 's3') return deps.routeObjects(request, response, requestId)
  if (destination.kind === 'health') {
    request.resume()
    return sendJson(exchange, JSON.stringify({ status: 'ok' }))
  }
  const expected = expectedOf(destination)
  const caller = await authenticate(exchange, expected)
  if (caller.kind === 'rejected') {
    request.resume()
    return sendAuthError(exchange, expected.family, caller.error)
  }
  return answerCaller(destination, caller, exchange)
}

async function answerCaller(
  destination: Exclude<Destination, { readonly kind: 's3' | 'health' }>,
  { principal, body }: Extract<Authenticated, { readonly kind: 'authenticated' }>,
  exchange: Exchange,
): Promise<void> {
  const { response, requestId, signal, deps } = exchange
  switch (destination.kind) {
    case 'sagemaker':
      return sendJson(
        exchange,
        await runOperation(destination.operation, body, { ...deps, signal }),
      )
    case 'sts':
      return sendReply(response, runStsAction(body, { principal, requestId, deps }))
    case 'berth':
      return answerBerthRoute(destination.path, exchange)
    case 'not-offered':
      throw notOfferedError(destination)
    case 'runtime':
      // The gateways answer these; one that arrives here came past them.
      throw notOfferedError({
        kind: 'not-offered',
        family: 'rest-json',
        service: 'sagemaker',
        operation: `${destination.operation} on the control plane`,
      })
  }
}

function expectedOf(destination: Destination): Expected {
  const family = familyOf(destination)
  switch (destination.kind) {
    case 'sts':
      return { service: 'sts', family }
    case 'sagemaker':
    case 'berth':
    case 'runtime':
      return { service: 'sagemaker', family }
    case 'not-offered':
    case 's3':
    case 'health':
      return { service: undefined, family }
  }
}

// S3 says its own errors; what it throws is a bug, for which any form will do.
function familyOf(destination: Destination): ErrorFamily {
  switch (destination.kind) {
    case 'sts':
      return 'query'
    case 'runtime':
      return 'rest-json'
    case 'not-offered':
      return destination.family
    case 'sagemaker':
    case 'berth':
    case 's3':
    case 'health':
      return 'json'
  }
}
