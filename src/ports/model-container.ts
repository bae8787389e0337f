import type { InstanceAddress } from '../domain/fleet.ts'

/** A model as a container is told of it. */
export interface ContainerModel {
  /** The model's name at the container: `[0-9A-Za-z._]+`. */
  readonly modelId: string
  /** Folder of its files. */
  readonly directory: string
  readonly targetModel: string
}

/** How a container took a call about a model. */
export type ContainerAnswer =
  | {
      readonly kind: 'done'
      /** The worker that has it, where a built-in image says so. */
      readonly seat: number | undefined
    }
  /** It has it already (409). */
  | { readonly kind: 'present'; readonly seat: number | undefined }
  /** It does not have it (404). */
  | { readonly kind: 'absent' }
  /** Neither memory nor another resource is left for it (507). */
  | { readonly kind: 'full'; readonly detail: string }
  /** It answered otherwise. */
  | { readonly kind: 'refused'; readonly status: number; readonly detail: string }
  /** It did not answer. */
  | { readonly kind: 'unreachable'; readonly detail: string }

/** A model that a container says it has. */
export interface ListedModel {
  readonly modelId: string
  /** The worker that has it, where a built-in image says so. */
  readonly seat: number | undefined
}

/**
 * The model calls of a multi-model container. Every way of not answering is an outcome.
 *
 * Source: data-plane reference §9.3.
 */
export interface ModelContainer {
  load(
    address: InstanceAddress,
    model: ContainerModel,
    signal: AbortSignal,
  ): Promise<ContainerAnswer>
  unload(
    address: InstanceAddress,
    model: Pick<ContainerModel, 'modelId' | 'targetModel'>,
    signal: AbortSignal,
  ): Promise<ContainerAnswer>
  /** What it says is loaded; undefined when it does not say. */
  list(address: InstanceAddress, signal: AbortSignal): Promise<readonly ListedModel[] | undefined>
}
