import type { ErrorCode } from '../errors.ts'

/*
 * What gateways and control say to each other about the models of multi-model endpoints, as further kinds of the link's
 * messages. Control owns what is loaded where; gateways know it all and ask only for what is not there.
 *
 *   gateway → control   model-wanted   an invocation waits for a model on an instance; or the store is to be looked at; or
 *                                      the model is to be copied there if there is room: nobody waits then
 *                       models-used    how often each was used since the last such message
 *                       model-released the answer to model-revoked: nothing of this gateway uses the model, or it is busy
 *                       model-done     nothing uses a model any more that is not to stay loaded
 *                       models-held    answers models-asked: everything it takes to be loaded; its wants follow
 *                       models-cut     answers models-ended: what was under way at an instance when its process ended
 *   control → gateway   models-asked   control begins to listen: say what you hold, and what you wait for
 *                       models         everything that is loaded on an instance; what is wanted besides is to be asked again
 *                       model-loaded   usable from now on; answers every model-wanted of it
 *                       model-failed   answers one gateway's model-wanted
 *                       model-gone     not to be used any more: evicted, or its instance is
 *                       model-revoked  not to be used until model-loaded or model-gone; to be answered
 *                       model-board    what a load would cost on an instance now
 *                       models-ended   the process with an instance's models has ended; to be answered
 *
 * Either side may be killed at any moment and any message be lost with it. So no side waits for a message alone:
 *
 *   a want         is said again every second until it is answered, and at once after models-asked and models
 *   a revocation   needs the gateways that are connected, and ends with each one's connection
 *   an eviction    is undone by a want that comes before the last release; after it the model is absent at once
 *   a restart      takes over what the container lists and a gateway names; the rest is unloaded
 */

/** A model that is loaded on an instance. */
export interface LoadedModel {
  readonly instanceId: string
  readonly targetModel: string
  /** Its name at the container: of one content of one target model, never of another. */
  readonly modelId: string
  /** The worker of a built-in image that has it; absent where the container does not say. */
  readonly seat?: number
  /** What loading it took, milliseconds. */
  readonly loadMs: number
  /** Of its files, which stay on the disk for as long as it is loaded. */
  readonly contentHash: string
  readonly fileBytes: number
  /** Answers a doubt: the container has had it all the time. */
  readonly wasPresent?: boolean
}

/** The answer to a load that failed. */
export interface ModelFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly members?: Readonly<Record<string, string | number>>
}

/** What a gateway tells control of models. */
export type ModelAsk =
  | {
      readonly kind: 'model-wanted'
      readonly endpointName: string
      readonly variantName: string
      readonly instanceId: string
      readonly targetModel: string
      /** The container said that this one is not there, though it was loaded. */
      readonly doubtedModelId?: string
      /** Whether the store is to be asked for a newer one. */
      readonly isRevalidation?: boolean
      /** Whether it is loaded elsewhere and is to be loaded here too, displacing nothing. */
      readonly isCopy?: boolean
    }
  | {
      readonly kind: 'models-used'
      /** Uses by instance, then by target model. */
      readonly uses: Readonly<Record<string, Readonly<Record<string, number>>>>
      readonly counters: readonly ModelCounters[]
    }
  | {
      readonly kind: 'model-released'
      readonly instanceId: string
      readonly modelId: string
      /** Of the question: an answer to an earlier one says nothing about now. */
      readonly revocationId: number
      readonly isIdle: boolean
    }
  | { readonly kind: 'model-done'; readonly instanceId: string; readonly modelId: string }
  | { readonly kind: 'models-held'; readonly models: readonly LoadedModel[] }
  | {
      readonly kind: 'models-cut'
      readonly instanceId: string
      readonly models: readonly CutModel[]
    }

/** A model of which invocations were under way at an instance when its process ended. */
export interface CutModel {
  readonly targetModel: string
  /** Invocations of it that the process had answered before, to this gateway. */
  readonly answeredCount: number
}

/** What a gateway counted of one variant since its start. Names: data-plane reference §16.2. */
export interface ModelCounters {
  readonly endpointName: string
  readonly variantName: string
  /** `ModelCacheHit`: found loaded. */
  readonly hitCount: number
  readonly missCount: number
  /** `ModelLoadingWaitTime`, microseconds, summed over misses. */
  readonly loadingWaitMicrosSum: number
}

/** What control tells gateways of models. */
export type ModelNews =
  | { readonly kind: 'models-asked' }
  | {
      readonly kind: 'models'
      readonly instanceId: string
      readonly models: readonly LoadedModel[]
    }
  | ({ readonly kind: 'model-loaded' } & LoadedModel)
  | {
      readonly kind: 'model-failed'
      readonly instanceId: string
      readonly targetModel: string
      readonly failure: ModelFailure
    }
  | {
      readonly kind: 'model-gone'
      readonly instanceId: string
      readonly targetModel: string
      readonly modelId: string
    }
  | {
      readonly kind: 'model-revoked'
      readonly instanceId: string
      readonly modelId: string
      /** Counts up in one control process. */
      readonly revocationId: number
    }
  | ({ readonly kind: 'model-board' } & ModelBoard)
  | { readonly kind: 'models-ended'; readonly instanceId: string }

/** What a load would cost on an instance now. */
export interface ModelBoard {
  readonly instanceId: string
  /** Until a load that is asked for now would begin, milliseconds. */
  readonly loaderMs: number
  /** What a load takes there that nothing is known of, milliseconds. */
  readonly loadMs: number
}

/** Kinds of {@link ModelAsk}. */
export const MODEL_ASKS: ReadonlySet<unknown> = new Set<ModelAsk['kind']>([
  'model-wanted',
  'models-used',
  'model-released',
  'model-done',
  'models-held',
  'models-cut',
])

/** Kinds of {@link ModelNews}. */
export const MODEL_NEWS: ReadonlySet<unknown> = new Set<ModelNews['kind']>([
  'models-asked',
  'models',
  'model-loaded',
  'model-failed',
  'model-gone',
  'model-revoked',
  'model-board',
  'models-ended',
])
