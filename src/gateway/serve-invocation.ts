import type { IncomingMessage, ServerResponse } from 'node:http'

import { BerthError } from '../domain/errors.ts'
import type { Destination } from '../wire/aws-dispatch.ts'
import { parseInvocationHead } from '../wire/runtime-request.ts'
import type { Authenticator } from './authenticate.ts'
import { assertAnnouncedLength, readBody } from './body.ts'
import type { BodyBudget } from './body.ts'
import { Deadline } from './deadline.ts'
import { invoke } from './invoke.ts'
import type { InvokeDeps } from './invoke.ts'

/** What receiving an invocation takes beside what serving it takes. */
export interface ServeInvocationDeps extends InvokeDeps {
  readonly authenticator: Authenticator
  readonly budget: BodyBudget
}

/** One request and where its answer goes. */
export interface Incoming {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  /** The client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
}

/** A request to the runtime API: an operation that Berth offers, or one that it does not. */
export type RuntimeDestination = Extract<Destination, { kind: 'runtime' | 'not-offered' }>

/**
 * Receives one invocation: signature, limits, body, headers; then serves it.
 *
 * @throws AuthRefusal the signature is missing or wrong.
 * @throws BerthError whatever else is wrong with the request, or goes wrong in {@link invoke}.
 * @throws ClientGone when nobody waits for the answer any more.
 */
export async function serveInvocation(
  incoming: Incoming,
  destination: RuntimeDestination,
  deps: ServeInvocationDeps,
): Promise<void> {
  const { request, response, requestId } = incoming
  const { limits, budget, authenticator } = deps
  const { method = '', url = '', rawHeaders } = request
  const signedHead = { method, rawTarget: url, rawHeaders }
  const verifiedHead = authenticator.verifyHead(signedHead)
  if (destination.kind === 'not-offered') throw notOfferedYet(destination.operation)

  assertAnnouncedLength(request, limits.bodyBytesMax)
  if (incoming.expectsContinue) response.writeContinue()
  using body = await readBody(request, { ...limits, budget })
  // Whoever can sign may invoke every endpoint: this is where a policy will decide about the principal.
  authenticator.verifyBody(signedHead, verifiedHead, body.bytes)

  const { operation, endpointName } = destination
  const head = parseInvocationHead(operation, endpointName, rawHeaders)
  using deadline = new Deadline(limits.invocationTimeoutMs)
  const abandon = (): void => {
    if (!response.writableFinished) deadline.abandon()
  }
  if (response.destroyed) abandon()
  response.once('close', abandon)
  await invoke({ head, body: body.bytes, requestId, deadline }, response, deps)
}

function notOfferedYet(operation: string | undefined): BerthError {
  const what = `${operation ?? 'This operation'} is not offered by Berth yet.`
  return new BerthError('ValidationError', what)
}
