import type { Buffer } from 'node:buffer'

import type { ContainerRoute } from '../domain/routes.ts'
import { stepRequestTooLarge } from '../wire/model-error.ts'
import type { ModelErrorPlace } from '../wire/model-error.ts'
import { TARGET_MODEL_HEADER } from '../wire/runtime-request.ts'
import type { ByteBudget } from './body-budget.ts'
import { CollectedReply } from './collected-reply.ts'
import type { Connections } from './connections.ts'
import { ClientGone } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { forward } from './forward.ts'
import type { ForwardOutcome, PipelineOutcome } from './forward.ts'
import { forwardAgain } from './models/forward-to-model.ts'
import type { Recover } from './models/forward-to-model.ts'
import type { Reply } from './reply.ts'
import type { CountedFailure, InvocationMeter } from './stats.ts'
import type { ContainerRequest, ModelAtContainer } from './transport.ts'

// Source: data-plane reference §8.4. AWS says 5 MB and not what a megabyte is.
const STEP_BYTES_MAX = 5 * 1024 * 1024

/** What a chain takes from its surroundings. */
export interface PipelineSurroundings {
  /** Where the reply of the last container goes. */
  readonly reply: Reply
  /** Of the whole chain. */
  readonly deadline: Deadline
  readonly connections: Pick<Connections, 'find'>
  /** What containers hand to each other counts here while it is held. */
  readonly budget: ByteBudget
  readonly place: Omit<ModelErrorPlace, 'containerName'>
  readonly meter: Pick<InvocationMeter, 'recordStep'>
  /** The step that serves many models; absent where none does. */
  readonly modelStep?: ModelStep | undefined
}

/** The container of a chain that the invocation's model is at. */
export interface ModelStep {
  /** Undefined where the variant is no chain. */
  readonly hostname: string | undefined
  /** Where the model is at the container now. */
  readonly findModel: () => ModelAtContainer | undefined
  readonly recover: Recover
}

/**
 * Sends an invocation through the containers of one instance: each takes what the one before answered, with its content
 * type and the caller's custom attributes. What the caller accepts is for the last one alone, the target model for the one
 * that serves many.
 *
 * The chain stops at the first that fails. Only the first may be `refused` or `reset`, so that no container sees an
 * invocation twice because a later one failed. One that turns out to have lost the model is asked again when it has it.
 *
 * Source: data-plane reference §8.4.
 *
 * @throws BerthError the model could not be loaded again.
 * @throws BerthError `ModelError`: a container answered more than the next may be given.
 * @throws BerthError `ServiceUnavailable`, `ThrottlingException`: the gateway holds too many bodies.
 */
export async function forwardThrough(
  steps: readonly ContainerRoute[],
  request: ContainerRequest,
  surroundings: PipelineSurroundings,
): Promise<PipelineOutcome> {
  const { reply, deadline, budget, place } = surroundings
  let { body } = request
  let contentType = request.headers['Content-Type']
  let held: CollectedReply | undefined
  try {
    for (const [index, step] of steps.entries()) {
      const from = nameOf(step)
      const next = steps[index + 1]
      const asked = requestOf(request, { body, contentType }, { step, next, ...surroundings })
      if (deadline.endedBy !== undefined) return { ...endOf(deadline), from }
      if (next === undefined) {
        const last = await forwardStep(step, asked, reply, surroundings)
        return { ...(index === 0 ? last : afterFirst(last)), from }
      }
      const collected = new CollectedReply(budget, STEP_BYTES_MAX)
      const outcome = await forwardStep(step, asked, collected, surroundings)
      held?.release()
      held = collected
      if (outcome.kind !== 'replied') {
        return { ...(index === 0 ? outcome : afterFirst(outcome)), from }
      }
      const { byteCount, statusCode: status } = collected
      if (byteCount > STEP_BYTES_MAX) {
        const excess = { byteCount, status, nextContainerName: nameOf(next) }
        throw stepRequestTooLarge(excess, { ...place, containerName: from })
      }
      body = collected.takeBody()
      contentType = collected.contentType
    }
    throw new Error('a pipeline of no containers')
  } finally {
    held?.release()
  }
}

async function forwardStep(
  step: ContainerRoute,
  asked: ContainerRequest,
  reply: Reply,
  { deadline, connections, meter, modelStep }: PipelineSurroundings,
): Promise<ForwardOutcome> {
  const startedAtMs = performance.now()
  const ask = (request: ContainerRequest): Promise<ForwardOutcome> =>
    forward(connections.find(step), request, reply, deadline)
  let outcome = await ask(asked)
  if (modelStep !== undefined && asked.model !== undefined) {
    const { recover, findModel } = modelStep
    outcome = await forwardAgain(outcome, recover, () => ask({ ...asked, model: findModel() }))
  }
  meter.recordStep(nameOf(step), performance.now() - startedAtMs, failureOf(outcome))
  return outcome
}

// A container's own status counts under that status, as in the metrics of the variant.
function failureOf(outcome: ForwardOutcome): CountedFailure | undefined {
  if (outcome.kind === 'replied') return undefined
  if (outcome.kind === 'client-gone') return '4xx'
  return outcome.kind === 'refused-by-model' && outcome.statusCode < 500 ? '4xx' : '5xx'
}

function nameOf({ hostname }: ContainerRoute): string {
  return hostname ?? 'primary'
}

interface Handover {
  readonly body: Buffer
  readonly contentType: string | undefined
}

interface Position {
  readonly step: ContainerRoute
  readonly next: ContainerRoute | undefined
  readonly modelStep?: ModelStep | undefined
}

// What a container is asked that has been handed this by the one before, or by the caller.
function requestOf(
  request: ContainerRequest,
  { body, contentType }: Handover,
  { step, next, modelStep }: Position,
): ContainerRequest {
  const { Accept: accept, [TARGET_MODEL_HEADER]: targetModel, ...common } = request.headers
  const { 'Content-Type': _callers, ...headers } = common
  const isLast = next === undefined
  const hasModels = modelStep?.hostname !== undefined && step.hostname === modelStep.hostname
  return {
    model: hasModels ? request.model : undefined,
    headers: {
      ...headers,
      ...(contentType !== undefined && { 'Content-Type': contentType }),
      ...(isLast && accept !== undefined && { Accept: accept }),
      ...(hasModels && targetModel !== undefined && { [TARGET_MODEL_HEADER]: targetModel }),
    },
    body,
    // What is collected has a bound of its own, beyond which it is only counted: the refusal says how much it was.
    replyBytesMax: isLast ? request.replyBytesMax : Infinity,
    streamTimeoutMs: isLast ? request.streamTimeoutMs : undefined,
  }
}

function endOf({ endedBy }: Deadline): ForwardOutcome {
  return endedBy instanceof ClientGone ? { kind: 'client-gone' } : { kind: 'timed-out' }
}

// Containers before it have run: another attempt would run them again.
function afterFirst(outcome: ForwardOutcome): ForwardOutcome {
  if (outcome.kind !== 'refused' && outcome.kind !== 'reset') return outcome
  return { kind: 'broken', detail: outcome.detail }
}
