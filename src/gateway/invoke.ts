import { decideRetry } from '../domain/admission.ts'
import type { Installation } from '../domain/arn.ts'
import { chooseVariant } from '../domain/choose.ts'
import { BerthError } from '../domain/errors.ts'
import type { EndpointRoute, RoutePart, VariantRoute } from '../domain/routes.ts'
import type { Clock } from '../ports/clock.ts'
import type { InstanceObservation } from '../wire/link.ts'
import { modelError } from '../wire/model-error.ts'
import type { ContainerFailure } from '../wire/model-error.ts'
import { containerHeaders } from '../wire/runtime-request.ts'
import type { InvocationHead } from '../wire/runtime-request.ts'
import { noInstance } from './admission.ts'
import type { Admission } from './admission.ts'
import type { BodyBudget } from './body-budget.ts'
import type { ClientSink } from './client-sink.ts'
import type { Connections } from './connections.ts'
import { ClientGone } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { forward } from './forward.ts'
import type { ForwardOutcome, PipelineOutcome } from './forward.ts'
import type { GatewayLimits } from './limits.ts'
import { forwardToModel } from './models/forward-to-model.ts'
import type { Enter, TakenSlot } from './models/forward-to-model.ts'
import type { ModelLanes } from './models/model-lanes.ts'
import { forwardThrough } from './pipeline.ts'
import type { ModelStep } from './pipeline.ts'
import { StreamReply, WholeReply } from './reply.ts'
import type { Reply } from './reply.ts'
import type { InvocationMeter, InvocationStats } from './stats.ts'
import { targetPartOf } from './target-container.ts'
import type { ContainerRequest } from './transport.ts'
import { refuseUnsupported } from './unsupported.ts'

/** One authenticated invocation, body and all. */
export interface Invocation {
  readonly head: InvocationHead
  readonly body: Buffer
  readonly requestId: string
  readonly deadline: Deadline
}

/** What serving an invocation takes from its surroundings. */
export interface InvokeDeps {
  readonly findEndpoint: (endpointName: string) => EndpointRoute | undefined
  readonly admission: Admission
  readonly models: ModelLanes
  readonly budget: BodyBudget
  readonly connections: Connections
  readonly stats: InvocationStats
  readonly limits: GatewayLimits
  readonly at: Installation
  readonly clock: Clock
  readonly random: () => number
  readonly observe: (observation: InstanceObservation) => void
}

/**
 * Serves one invocation: find the endpoint, choose a variant, wait for a slot, forward.
 *
 * @throws BerthError `ValidationError`: no such endpoint or target variant, or a header that it does not support.
 * @throws BerthError `ServiceUnavailable`: no instance is healthy, or the waiting line is full.
 * @throws BerthError `ModelError`: the container failed.
 * @throws ClientGone when nobody waits for the answer any more.
 */
export async function invoke(
  invocation: Invocation,
  client: ClientSink,
  deps: InvokeDeps,
): Promise<void> {
  const { head, requestId } = invocation
  const endpoint = deps.findEndpoint(head.endpointName)
  if (endpoint === undefined) throw endpointNotFound(head.endpointName, deps.at)
  const variant = chooseVariant(endpoint.variants, head.targetVariant, deps.random())
  if (variant === undefined) throw noVariant(head)
  refuseUnsupported(head, variant.multiModel !== undefined)
  const part = targetPartOf(variant, head)

  const { variantName } = variant
  const meter = deps.stats.start(head.endpointName, variantName, part.directHostname)
  const names = { requestId, variantName }
  const reply =
    head.operation === 'InvokeEndpoint'
      ? new WholeReply(client, names)
      : new StreamReply(client, names)
  try {
    const passage = { invocation, reply, meter, deps }
    const outcome: PipelineOutcome =
      variant.multiModel === undefined
        ? await forwardToOneOf(part, passage)
        : await forwardToModel({ ...invocation, variantName }, deps.models, (enter, recover) => {
            const modelPlace = { hostname: variant.multiModel?.hostname, recover }
            return forwardToOneOf(part, { ...passage, modelPlace }, enter)
          })
    const containerName = outcome.from ?? part.containerHostname
    throwFailure(outcome, { head, variant, containerName, at: deps.at })
    if (outcome.kind === 'broken-off') meter.recordFailure('5xx')
  } catch (error) {
    meter.recordError(error)
    throw error
  } finally {
    meter[Symbol.dispose]()
  }
}

interface Passage {
  readonly invocation: Invocation
  readonly reply: Reply
  readonly meter: InvocationMeter
  readonly deps: InvokeDeps
  /** Of a chain with a container of many models. */
  readonly modelPlace?: Omit<ModelStep, 'findModel'>
}

// Tries instances until one begins to answer. An attempt may be repeated only while no byte of a reply has come.
async function forwardToOneOf(
  { variantName, directHostname }: RoutePart,
  passage: Passage,
  enter?: Enter,
): Promise<PipelineOutcome> {
  const { invocation, deps } = passage
  const { deadline } = invocation
  const { endpointName } = invocation.head
  const names = { endpointName, variantName, directHostname }
  const request = containerRequest(invocation, deps.limits)
  const firstAttemptAtMs = deps.clock.nowMs()
  let resetCount = 0
  let avoidInstanceId: string | undefined
  for (;;) {
    const slotOrWait =
      enter?.(avoidInstanceId) ?? deps.admission.enter({ ...names, avoidInstanceId, deadline })
    const slot = slotOrWait instanceof Promise ? await slotOrWait : slotOrWait
    const outcome = await attempt(slot, request, passage)
    if (outcome.kind !== 'refused' && outcome.kind !== 'reset') return outcome

    avoidInstanceId = slot.instance.instanceId
    if (outcome.kind === 'reset') resetCount += 1
    else {
      const isNews = deps.admission.recordRefusal(slot.instance)
      const observed = { observed: 'connection-refused', detail: outcome.detail } as const
      if (isNews) deps.observe({ endpointName, instanceId: avoidInstanceId, ...observed })
    }
    const nowMs = deps.clock.nowMs()
    const { unreadyWaitMs } = deps.limits
    const history = { failed: outcome.kind, resetCount, firstAttemptAtMs, nowMs, unreadyWaitMs }
    const verdict = decideRetry(history)
    if (verdict === 'model-error') return { kind: 'broken', detail: outcome.detail }
    if (verdict === 'unavailable') throw noInstance(names)
  }
}

// `finally` and not `using`, here and wherever every invocation comes by: lowered by the bundler, `using` takes 0.4 µs.
async function attempt(
  slot: TakenSlot,
  request: ContainerRequest,
  passage: Passage,
): Promise<PipelineOutcome> {
  const { invocation, reply, meter, deps, modelPlace } = passage
  const { instance, model } = slot
  meter.startAttempt()
  try {
    const transport = deps.connections.find(instance)
    const asked = model === undefined ? request : { ...request, model }
    const { deadline, head } = invocation
    const { laterSteps } = instance
    const outcome =
      laterSteps === undefined
        ? await forward(transport, asked, reply, deadline)
        : await forwardThrough([instance, ...laterSteps], asked, {
            reply,
            deadline,
            connections: deps.connections,
            budget: deps.budget.of(head.endpointName),
            place: { ...deps.at, endpointName: head.endpointName },
            meter,
            modelStep: modelPlace && { ...modelPlace, findModel: () => slot.model },
          })
    if (outcome.kind === 'replied') slot.recordReply()
    else if (isCut(outcome)) slot.recordCut?.()
    return outcome
  } finally {
    meter.endAttempt()
    slot[Symbol.dispose]()
  }
}

function isCut(outcome: ForwardOutcome): boolean {
  const { kind } = outcome
  return (
    kind === 'reset' || kind === 'broken' || (kind === 'broken-off' && outcome.reason === 'broken')
  )
}

function containerRequest(
  { head, body, requestId }: Invocation,
  limits: GatewayLimits,
): ContainerRequest {
  const isStream = head.operation === 'InvokeEndpointWithResponseStream'
  return {
    headers: containerHeaders(head, requestId),
    body,
    replyBytesMax: isStream ? Number.POSITIVE_INFINITY : limits.bodyBytesMax,
    streamTimeoutMs: isStream ? limits.streamTimeoutMs : undefined,
  }
}

interface Place {
  readonly head: InvocationHead
  readonly variant: VariantRoute
  /** The one that failed, if one did. */
  readonly containerName: string
  readonly at: Installation
}

// Source: data-plane reference §2.5.
function throwFailure(outcome: ForwardOutcome, place: Place): void {
  switch (outcome.kind) {
    case 'replied':
    case 'broken-off':
      return
    case 'refused-by-model': {
      const { statusCode: status, body } = outcome
      if (body === undefined) throw failed({ kind: 'status-without-body', status }, place)
      throw failed({ kind: 'status', status, body: body.toString('utf8') }, place)
    }
    case 'reply-too-large':
      throw failed({ kind: 'status-without-body', status: outcome.statusCode }, place)
    case 'overloaded':
      throw overloaded(place)
    case 'timed-out':
      throw failed({ kind: 'timed-out' }, place)
    case 'broken':
    case 'refused':
    case 'reset':
      throw failed({ kind: 'broken' }, place)
    case 'client-gone':
      throw new ClientGone()
  }
}

function failed(failure: ContainerFailure, { head, containerName, at }: Place): BerthError {
  const { endpointName } = head
  const { region, accountId } = at
  return modelError(failure, { region, accountId, endpointName, containerName })
}

function overloaded({ head, variant }: Place): BerthError {
  const where = `The instance of variant ${variant.variantName} of endpoint ${head.endpointName}`
  const what = `${where} has more invocations waiting than it can answer in time.`
  return new BerthError('ServiceUnavailable', `${what} Repeat the call, or add instances.`)
}

// Source: data-plane reference §2.6.
function endpointNotFound(endpointName: string, { accountId }: Installation): BerthError {
  const what = `Endpoint ${endpointName} of account ${accountId} not found.`
  return new BerthError('ValidationError', what)
}

function noVariant({ endpointName, targetVariant }: InvocationHead): BerthError {
  if (targetVariant === undefined) {
    const what = `No variant of endpoint ${endpointName} takes traffic: all weights are 0.`
    return new BerthError('ServiceUnavailable', `${what} Name one as target variant.`)
  }
  return new BerthError(
    'ValidationError',
    `Endpoint ${endpointName} has no variant ${targetVariant}.`,
  )
}
