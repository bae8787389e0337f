import { BerthError } from '../domain/errors.ts'
import { hasDirectContainers, isDirectHostname } from '../domain/routes.ts'
import type { EndpointRoute } from '../domain/routes.ts'
import type { Destination } from '../wire/aws-dispatch.ts'
import { parseInvocationHead } from '../wire/runtime-request.ts'
import type { InvocationHead } from '../wire/runtime-request.ts'
import type { Authenticator, SignedHead } from './authenticate.ts'
import { assertAnnouncedLength } from './body.ts'
import type { BodyLimits, HeldBody } from './body.ts'
import type { ClientSink } from './client-sink.ts'
import { Deadline } from './deadline.ts'
import { invoke } from './invoke.ts'
import type { InvokeDeps } from './invoke.ts'
import type { Turns } from './turns.ts'

/** What receiving an invocation takes beside what serving it takes. */
export interface ServeInvocationDeps extends InvokeDeps {
  readonly authenticator: Authenticator
  readonly turns: Turns
}

/** One request whose head has come, and where its answer goes; whichever front received it. */
export interface Incoming {
  readonly head: SignedHead
  /** 0 when the head announces none. */
  readonly announcedBytes: number
  readonly requestId: string
  readonly client: ClientSink
  /** Asks for the body where the client waits to be asked, and reads it. To be called once. Throws as `readBody` does. */
  receiveBody(limits: BodyLimits): HeldBody | Promise<HeldBody>
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
  const { head: signedHead, client, requestId } = incoming
  const { limits, authenticator } = deps
  const endpointName = destination.kind === 'runtime' ? destination.endpointName : ''
  const turn = deps.turns.take(endpointName, incoming.announcedBytes)
  if (turn !== undefined) await turn
  const verifiedHead = authenticator.verifyHead(signedHead)
  if (destination.kind === 'not-offered') throw notOfferedYet(destination.operation)
  const { operation } = destination
  let parsedHead: InvocationHead | undefined
  const parseHead = (): InvocationHead =>
    (parsedHead ??= parseInvocationHead(operation, endpointName, signedHead.rawHeaders))

  const { bodyBytesMax, bodyTimeoutMs } = limits
  assertAnnouncedLength(incoming.announcedBytes, bodyBytesMax)
  deps.admission.refuseEarly(endpointName, parseHead)
  const directHostname = directHostnameOf(deps.findEndpoint(endpointName), parseHead)
  const budget = deps.budget.of(endpointName, directHostname)
  const body = await incoming.receiveBody({ bodyBytesMax, bodyTimeoutMs, budget })
  let deadline: Deadline | undefined
  try {
    // Whoever can sign may invoke every endpoint: this is where a policy will decide about the principal.
    authenticator.verifyBody(verifiedHead, body.bytes)

    const head = parseHead()
    deadline = new Deadline(limits.invocationTimeoutMs)
    client.onClosed(() => deadline?.abandon())
    await invoke({ head, body: body.bytes, requestId, deadline }, client, deps)
  } finally {
    deadline?.[Symbol.dispose]()
    body[Symbol.dispose]()
  }
}

// The container whose share of the budget the body takes, where callers name containers.
function directHostnameOf(
  endpoint: EndpointRoute | undefined,
  parseHead: () => InvocationHead,
): string | undefined {
  if (endpoint === undefined || !hasDirectContainers(endpoint)) return undefined
  const { targetContainerHostname: hostname } = parseHead()
  return hostname !== undefined && isDirectHostname(endpoint, hostname) ? hostname : undefined
}

function notOfferedYet(operation: string | undefined): BerthError {
  const what = `${operation ?? 'This operation'} is not offered by Berth yet.`
  return new BerthError('ValidationError', what)
}
