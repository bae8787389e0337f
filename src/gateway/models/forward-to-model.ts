import { BerthError } from '../../domain/errors.ts'
import { isTargetModel } from '../../domain/multi-model/settings.ts'
import type { InstanceRoute } from '../../domain/routes.ts'
import type { InvocationHead } from '../../wire/runtime-request.ts'
import type { Deadline } from '../deadline.ts'
import type { ForwardOutcome } from '../forward.ts'
import type { ModelAtContainer } from '../transport.ts'
import type { ModelHome } from './model-home.ts'
import type { ModelLanes } from './model-lanes.ts'

/** The right to have one invocation outstanding on an instance, or of a model on an instance. */
export interface TakenSlot extends Disposable {
  readonly instance: InstanceRoute
  readonly model?: ModelAtContainer | undefined
  recordReply(): void
}

/** Takes a slot on an instance other than the one that failed, if there is another. */
export type Enter = (avoidInstanceId: string | undefined) => TakenSlot | Promise<TakenSlot>

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
 * instance had lost it.
 *
 * @param forward tries instances until one begins to answer, with slots that it is given.
 * @throws BerthError `ValidationError`: no target model, or none that could be a key.
 */
export async function forwardToModel(
  { head, variantName, requestId, deadline }: ModelInvocation,
  models: ModelLanes,
  forward: (enter: Enter) => Promise<ForwardOutcome>,
): Promise<ForwardOutcome> {
  const { endpointName } = head
  const targetModel = targetModelOf(head.targetModel, requestId)
  const request = { endpointName, variantName, targetModel, deadline }
  let home: ModelHome | undefined
  const enter: Enter = async (avoidInstanceId) => {
    const slotOrWait = models.enter({ ...request, avoidInstanceId })
    const slot = slotOrWait instanceof Promise ? await slotOrWait : slotOrWait
    home = slot.home
    return slot
  }
  const outcome = await forward(enter)
  if (!wasNotThere(outcome)) return outcome
  const recover = async (): Promise<Disposable | undefined> =>
    home && (await models.recover(home, { ...request, avoidInstanceId: undefined }))
  return await forwardAgain(outcome, recover, () => forward(enter))
}

async function forwardAgain(
  first: ForwardOutcome,
  recover: () => Promise<Disposable | undefined>,
  forward: () => Promise<ForwardOutcome>,
): Promise<ForwardOutcome> {
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
