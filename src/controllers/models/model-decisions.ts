import type { LoadedModel, ModelFailure } from '../../domain/multi-model/model-messages.ts'
import type { BlamedModel, DeathSuspect } from '../../domain/multi-model/process-blame.ts'
import type { HeldFailure } from '../../domain/multi-model/quarantine.ts'
import type { ModelEvent, ProcessDeath } from './model-instance.ts'

const NAMES_MAX = 10

// What is decided about models, as events say it: in words, and with what it was decided by.

/** A model as decisions name it. */
type Which = Pick<LoadedModel, 'instanceId' | 'targetModel' | 'modelId'>

/** A model is there. @param fetchMs from the object store or the disk. */
export function loadedEvent(model: LoadedModel, fetchMs: number): ModelEvent {
  const { instanceId, targetModel, modelId, fileBytes } = model
  const times = { fetchMs: Math.round(fetchMs), loadMs: Math.round(model.loadMs) }
  const reason = `Model ${targetModel} was loaded on instance ${instanceId}.`
  const inputs = { instanceId, targetModel, modelId, ...times, bytes: fileBytes }
  return { kind: 'model-loaded', reason, inputs }
}

/** Why room had to be made. */
export interface EvictionCause {
  readonly why: string
  /** What program and models of the instance were believed to take, and may, where that is why. */
  readonly takenBytes?: number
  readonly memoryBytesMax?: number
}

/** A model made room. @param ranked what it was chosen by. */
export function evictedEvent(
  { instanceId, targetModel, modelId }: Which,
  forModel: string,
  cause: EvictionCause,
  ranked: Readonly<Record<string, number | string>>,
): ModelEvent {
  const reason = `Model ${targetModel} was unloaded for ${forModel}: ${cause.why}.`
  const inputs = { instanceId, targetModel, modelId, forModel, ...cause, ...ranked }
  return { kind: 'model-evicted', reason, inputs }
}

/** Nothing uses a model that is not to stay. */
export function unloadedEvent({ instanceId, targetModel, modelId }: Which): ModelEvent {
  const reason = `Model ${targetModel} was unloaded: nothing uses it, and models are not cached.`
  return { kind: 'model-unloaded', reason, inputs: { instanceId, targetModel, modelId } }
}

/** The store has another content of a model, and so has the instance. */
export function replacedEvent({ instanceId, targetModel, modelId }: Which): ModelEvent {
  const reason = `Model ${targetModel} was replaced in the store; instance ${instanceId} has the new one.`
  return { kind: 'model-replaced', reason, inputs: { instanceId, targetModel, modelId } }
}

/** What the store has now cannot be used: the content that is loaded goes on answering. */
export function notReplacedEvent(
  { instanceId, targetModel, modelId }: Which,
  { message }: ModelFailure,
): ModelEvent {
  const reason = `Model ${targetModel} goes on as it is loaded, for what the store has now cannot be used: ${message}`
  return { kind: 'model-not-replaced', reason, inputs: { instanceId, targetModel, modelId } }
}

/** A container did not have what it had loaded. */
export function lostEvent({ instanceId, targetModel, modelId }: Which): ModelEvent {
  const reason = `Instance ${instanceId} had lost model ${targetModel}; it was loaded again.`
  return { kind: 'model-lost', reason, inputs: { instanceId, targetModel, modelId } }
}

/** What an earlier control had loaded. */
export function takenOverEvent(
  instanceId: string,
  { keptCount, unknownCount }: { readonly keptCount: number; readonly unknownCount: number },
): ModelEvent {
  const unloaded = unknownCount === 0 ? '' : `; ${unknownCount} that no gateway knows are unloaded`
  const reason = `${keptCount} models that instance ${instanceId} had loaded were taken over${unloaded}.`
  return { kind: 'models-taken-over', reason, inputs: { instanceId, keptCount, unknownCount } }
}

/** A model could not be loaded, and is left alone for a while. */
export function quarantinedEvent(
  instanceId: string,
  targetModel: string,
  { reason: failure, backOff, kind }: HeldFailure<ModelFailure>,
): ModelEvent {
  const waitMs = Math.round(backOff.notBeforeMs - backOff.failedAtMs)
  const reason = `Model ${targetModel} cannot be loaded and is left alone for ${waitMs / 1000} s: ${failure.message}`
  const inputs = {
    instanceId,
    targetModel,
    cause: kind,
    failureCount: backOff.failureCount,
    waitMs,
  }
  return { kind: 'model-quarantined', reason, inputs }
}

/** A process with many models ended beneath some of them. */
export function suspectedEvent(
  { instanceId, how, loading }: ProcessDeath,
  suspects: readonly DeathSuspect[],
): ModelEvent {
  const models = namesOf(suspects)
  const reason = `The process of instance ${instanceId} ${how} while it loaded or answered ${models}.`
  const inputs = {
    instanceId,
    how,
    models,
    answered: answersOf(suspects),
    loading: listOf(loading),
  }
  return { kind: 'models-suspected', reason, inputs }
}

/** A model is left alone because processes keep ending beneath it. */
export function blamedEvent(
  { instanceId, how }: ProcessDeath,
  { model: targetModel, waitMs, deathCount, otherCount }: BlamedModel,
  suspects: readonly DeathSuspect[],
): ModelEvent {
  const times = `the last ${deathCount} processes ended while it was loaded or answering`
  const others = otherCount === 0 ? '' : `, and ${otherCount} of the others`
  const reason = `Model ${targetModel} is left alone for ${waitMs / 1000} s: ${times}${others}; the last one ${how}.`
  const counts = { failureCount: deathCount, otherCount, waitMs, answered: answersOf(suspects) }
  const inputs = { instanceId, targetModel, cause: 'deadly', how, ...counts }
  return { kind: 'model-quarantined', reason, inputs }
}

function namesOf(suspects: readonly DeathSuspect[]): string {
  return listOf(suspects.map(({ model }) => model))
}

// What the process had answered of each before.
function answersOf(suspects: readonly DeathSuspect[]): string {
  return listOf(suspects.map(({ model, answeredCount }) => `${model}: ${answeredCount}`))
}

function listOf(names: readonly string[]): string {
  const moreCount = names.length - NAMES_MAX
  const more = moreCount > 0 ? [`${moreCount} more`] : []
  return [...names.slice(0, NAMES_MAX), ...more].join(', ')
}
