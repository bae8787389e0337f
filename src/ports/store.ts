import type { CompilationJob, CompilationStatus } from '../domain/compilation-job.ts'
import type { EndpointConfig } from '../domain/endpoint-config.ts'
import type { Endpoint, EndpointStatus } from '../domain/endpoint.ts'
import type { EndpointEvent } from '../domain/event.ts'
import type { Model } from '../domain/model.ts'

/** Tag keys and values of one resource, in insertion order. */
export type Tags = Readonly<Record<string, string>>

/** Where a page of a list begins: the sort key and the name of the last row already returned. */
export interface ListCursor {
  readonly sortKey: string | number
  readonly name: string
}

/** Filters, order and page of a list operation. Times are epoch milliseconds. */
export interface ListQuery {
  readonly sortBy: 'Name' | 'CreationTime' | 'Status'
  readonly descending: boolean
  readonly limit: number
  readonly after: ListCursor | undefined
  /** Substring, case-insensitive. */
  readonly nameContains: string | undefined
  /** Inclusive. */
  readonly createdAfterMs: number | undefined
  /** Exclusive. */
  readonly createdBeforeMs: number | undefined
  readonly modifiedAfterMs?: number | undefined
  readonly modifiedBeforeMs?: number | undefined
  readonly status?: EndpointStatus | CompilationStatus | undefined
}

/** One page, and where the next one begins; `next` is absent on the last page. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next: ListCursor | undefined
}

/** What a list shows of a model or an endpoint config. */
export interface Summary {
  readonly name: string
  readonly arn: string
  readonly createdAtMs: number
}

/** What a list shows of an endpoint. */
export interface EndpointSummary extends Summary {
  readonly modifiedAtMs: number
  readonly status: EndpointStatus
}

/** What a list shows of a compilation job. */
export type CompilationJobSummary = Pick<
  CompilationJob,
  | 'name'
  | 'arn'
  | 'createdAtMs'
  | 'modifiedAtMs'
  | 'status'
  | 'startedAtMs'
  | 'endedAtMs'
  | 'target'
>

/**
 * Desired and observed state of the control plane. Names are unique without regard to case; look-ups are
 * case-insensitive too and return the name as it was created.
 *
 * Every write is one transaction that states its precondition and returns whether it happened; when it returns,
 * it survives the death of the process and of the machine.
 */
export interface Store {
  /** @returns false when a model of that name exists. */
  insertModel(model: Model, tags: Tags): Promise<boolean>
  findModel(name: string): Promise<Model | undefined>
  listModels(query: ListQuery): Promise<Page<Summary>>
  deleteModel(name: string): Promise<boolean>

  /** @returns false when a config of that name exists. */
  insertEndpointConfig(config: EndpointConfig, tags: Tags): Promise<boolean>
  findEndpointConfig(name: string): Promise<EndpointConfig | undefined>
  listEndpointConfigs(query: ListQuery): Promise<Page<Summary>>
  deleteEndpointConfig(name: string): Promise<boolean>

  /** @returns false when an endpoint of that name exists. */
  insertEndpoint(endpoint: Endpoint, tags: Tags): Promise<boolean>
  findEndpoint(name: string): Promise<Endpoint | undefined>
  listEndpoints(query: ListQuery): Promise<Page<EndpointSummary>>
  /** Names of all endpoints; what a resync walks. */
  listEndpointNames(): Promise<readonly string[]>
  /**
   * Writes the endpoint if the stored one still has `endpoint.revision`; the stored revision becomes one higher.
   *
   * @returns false when somebody else wrote in between or it is gone.
   */
  saveEndpoint(endpoint: Endpoint): Promise<boolean>
  /** Removes it, its tags and its events if the stored revision is still this one. */
  removeEndpoint(name: string, revision: number): Promise<boolean>

  /** @returns false when a compilation job of that name exists. */
  insertCompilationJob(job: CompilationJob, tags: Tags): Promise<boolean>
  findCompilationJob(name: string): Promise<CompilationJob | undefined>
  listCompilationJobs(query: ListQuery): Promise<Page<CompilationJobSummary>>
  /** Those that are not over, oldest first. */
  listActiveCompilationJobs(): Promise<readonly CompilationJob[]>
  /** Like {@link saveEndpoint}. */
  saveCompilationJob(job: CompilationJob): Promise<boolean>
  /** Removes it and its tags if the stored revision is still this one. */
  removeCompilationJob(name: string, revision: number): Promise<boolean>

  /** @returns undefined when no resource has this ARN. */
  findTags(arn: string): Promise<Tags | undefined>
  /** Adds or replaces by key, removes `removedKeys`. @returns the tags after, or why nothing was written. */
  updateTags(arn: string, added: Tags, removedKeys: readonly string[]): Promise<UpdatedTags>

  /** Keeps the newest events per endpoint (bounded); never fails the caller for a full history. */
  recordEvent(event: EndpointEvent): Promise<void>
  /** Newest first. */
  listEvents(endpointName: string, limit: number): Promise<readonly EndpointEvent[]>

  /** Calls the listener with the name after an endpoint was inserted, saved or removed; returns its removal. */
  onEndpointChange(listener: (endpointName: string) => void): () => void

  /** Calls the listener after a compilation job was inserted, saved or removed; returns its removal. */
  onCompilationJobChange(listener: () => void): () => void

  close(): Promise<void>
}

/** Outcome of {@link Store.updateTags}. */
export type UpdatedTags =
  | { readonly kind: 'updated'; readonly tags: Tags }
  | { readonly kind: 'no-such-resource' }
  | { readonly kind: 'too-many'; readonly tagCount: number }
