import type { ContainerRoute } from '../domain/routes.ts'
import { stepRequestTooLarge } from '../wire/model-error.ts'
import type { ModelErrorPlace } from '../wire/model-error.ts'
import type { ByteBudget } from './body-budget.ts'
import { CollectedReply } from './collected-reply.ts'
import type { Connections } from './connections.ts'
import { ClientGone } from './deadline.ts'
import type { Deadline } from './deadline.ts'
import { forward } from './forward.ts'
import type { ForwardOutcome } from './forward.ts'
import type { Reply } from './reply.ts'
import type { CountedFailure, InvocationMeter } from './stats.ts'
import type { ContainerRequest } from './transport.ts'

// Source: data-plane reference §8.4. AWS says 5 MB and not what a megabyte is.
const STEP_BYTES_MAX = 5 * 1024 * 1024

/** How an invocation of one container or a chain of them ended. */
export type PipelineOutcome = ForwardOutcome & {
  /** Hostname of the container of a chain that ended it; absent where there is no chain. */
  readonly from?: string
}

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
}

/**
 * Sends an invocation through the containers of one instance: each takes what the one before answered, with its content
 * type and the caller's custom attributes. What the caller accepts is for the last one alone.
 *
 * The chain stops at the first that fails. Only the first may be `refused` or `reset`, so that no container sees an
 * invocation twice because a later one failed.
 *
 * Source: data-plane reference §8.4.
 *
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
  let heldBytes = 0
  try {
    for (const [index, step] of steps.entries()) {
      const from = nameOf(step)
      const next = steps[index + 1]
      const asked = { ...request, body, headers: headersOf(request, contentType, next) }
      if (deadline.endedBy !== undefined) return { ...endOf(deadline), from }
      if (next === undefined) {
        const last = await forwardStep(step, asked, reply, surroundings)
        return { ...(index === 0 ? last : afterFirst(last)), from }
      }
      const collected = new CollectedReply()
      const given = { ...asked, streamTimeoutMs: undefined }
      const outcome = await forwardStep(step, given, collected, surroundings)
      if (outcome.kind !== 'replied') {
        return { ...(index === 0 ? outcome : afterFirst(outcome)), from }
      }
      const { byteCount, statusCode } = collected
      if (byteCount > STEP_BYTES_MAX) {
        const excess = { byteCount, status: statusCode, nextContainerName: nameOf(next) }
        throw stepRequestTooLarge(excess, { ...place, containerName: from })
      }
      budget.giveBack(heldBytes)
      heldBytes = 0
      budget.take(byteCount)
      heldBytes = byteCount
      body = collected.takeBody()
      contentType = collected.contentType
    }
    throw new Error('a pipeline of no containers')
  } finally {
    budget.giveBack(heldBytes)
  }
}

async function forwardStep(
  step: ContainerRoute,
  asked: ContainerRequest,
  reply: Reply,
  { deadline, connections, meter }: PipelineSurroundings,
): Promise<ForwardOutcome> {
  const startedAtMs = performance.now()
  const outcome = await forward(connections.find(step), asked, reply, deadline)
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

function headersOf(
  { headers }: ContainerRequest,
  contentType: string | undefined,
  next: ContainerRoute | undefined,
): Readonly<Record<string, string>> {
  const { 'Content-Type': _own, Accept: accept, ...rest } = headers
  return {
    ...rest,
    ...(contentType !== undefined && { 'Content-Type': contentType }),
    ...(next === undefined && accept !== undefined && { Accept: accept }),
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
