import { BerthError } from '../../domain/errors.ts'
import { isTargetModel } from '../../domain/multi-model/settings.ts'
import type { InstanceRoute } from '../../domain/routes.ts'
import type { InvocationHead } from '../../wire/runtime-request.ts'
import type { Deadline } from '../deadline.ts'
import type { ForwardOutcome, PipelineOutcome } from '../forward.ts'
import type { ModelAtContainer } from '../transport.ts'
import type { ModelSlot } from './model-lane.ts'
import type { ModelLanes } from './model-lanes.ts'

/** The right to have one invocation outstanding on an instance, or of a model on an instance. */
export interface TakenSlot extends Disposable {
  readonly instance: InstanceRoute
  readonly model?: ModelAtContainer | undefined
  recordReply(): void
  /** The connection broke beneath the invocation: perhaps its process ended. */
  recordCut?(): void
}

/** Takes a slot on an instance other than the one that failed, if there is another. */
export type Enter = (avoidInstanceId: string | undefined) => TakenSlot | Promise<TakenSlot>

/**
 * After the container said that it does not have the model: has it loaded again.
 *
 * @returns a use of it, until it is disposed of; undefined when the container has had it all the time, so that what it said
 * is the model's own answer.
 */
export type Recover = () => Promise<Disposable | undefined>

/** An invocation of a multi-model variant. */
export interface ModelInvocation {
  readonly head: Pick<InvocationHead, 'endpointName' | 'targetModel'>
  readonly variantName: string
  readonly requestId: string
  readonly deadline: Deadline
}

// What a container answers for a model that it does not have. Source: data-plane reference §9.3.
const NOT_LOADED = 404
// A container may lose a model again while it is being asked for anew; one that always says so is believed.
const RECOVERIES_MAX = 3

/**
 * Forwards an invocation of a multi-model variant to an instance that has its model, and again when it turns out that the
 * instance had lost it. A chain asks for that itself, between its steps: those before have run.
 *
 * @param forward tries instances until one begins to answer, with slots that it is given; a chain also has the model loaded
 * again, after which its slot says where it is.
 * @throws BerthError `ValidationError`: no target model, or none that could be a key.
 */
export async function forwardToModel(
  { head, variantName, requestId, deadline }: ModelInvocation,
  models: ModelLanes,
  forward: (enter: Enter, recover: Recover) => Promise<PipelineOutcome>,
): Promise<PipelineOutcome> {
  const { endpointName } = head
  const targetModel = targetModelOf(head.targetModel, requestId)
  const request = { endpointName, variantName, targetModel, deadline }
  let slot: ModelSlot | undefined
  const enter: Enter = async (avoidInstanceId) => {
    const slotOrWait = models.enter({ ...request, avoidInstanceId })
    slot = slotOrWait instanceof Promise ? await slotOrWait : slotOrWait
    return slot
  }
  const lookAgain: Recover = async () =>
    slot && (await models.recover(slot.home, { ...request, avoidInstanceId: undefined }))
  const recover: Recover = async () => {
    const use = await lookAgain()
    if (use !== undefined && slot !== undefined) models.follow(slot)
    return use
  }
  const outcome = await forward(enter, recover)
  // A chain has done it itself.
  if (outcome.from !== undefined) return outcome
  return await forwardAgain(outcome, lookAgain, () => forward(enter, recover))
}

/**
 * After a container said that it does not have a model: asks for it to be loaded again where it was lost, and forwards anew.
 *
 * @param first what came of the invocation; what a chain or container answered otherwise stays as it is.
 */
export async function forwardAgain<Outcome extends ForwardOutcome>(
  first: Outcome,
  recover: Recover,
  forward: () => Promise<Outcome>,
): Promise<Outcome> {
  // Held until the invocation has begun to use it itself: it is not evicted in between.
  using uses = new DisposableStack()
  let outcome = first
  for (let count = 0; count < RECOVERIES_MAX && wasNotThere(outcome); count += 1) {
    const use = await recover()
    if (use === undefined) break
    uses.use(use)
    outcome = await forward()
  }
  return outcome
}

function wasNotThere(outcome: ForwardOutcome): boolean {
  return outcome.kind === 'refused-by-model' && outcome.statusCode === NOT_LOADED
}

/** The key below the prefix: a leading slash means nothing. Source: data-plane reference §2.6, §9.2. */
function targetModelOf(given: string | undefined, requestId: string): string {
  if (given === undefined) {
    const what = `Request ${requestId} is missing a target model header.`
    throw new BerthError(
      'ValidationError',
      `${what} The endpoint serves many models: name one as TargetModel.`,
    )
  }
  if (isTargetModel(given)) return given.startsWith('/') ? given.slice(1) : given
  throw new BerthError(
    'ValidationError',
    `Target model ${given} is not a key below the prefix of the models.`,
  )
}
