import type { CompilationJob } from '../../domain/compilation-job.ts'
import type { EndpointConfig } from '../../domain/endpoint-config.ts'
import type { Endpoint } from '../../domain/endpoint.ts'
import { isBerthError } from '../../domain/errors.ts'
import type { EndpointEvent } from '../../domain/event.ts'
import type { Model } from '../../domain/model.ts'
import type { ListQuery, Store, Tags } from '../../ports/store.ts'
import * as jobs from './compilation-jobs.ts'
import { Database } from './database.ts'
import * as configs from './endpoint-configs.ts'
import * as endpoints from './endpoints.ts'
import { EVENT_BOUNDS, insertEvent, listEvents, trimEvents } from './events.ts'
import type { EventBounds } from './events.ts'
import * as models from './models.ts'
import { findTags, updateTags } from './tags.ts'

// Counting all events at every insert would cost more than the insert.
const INSERTS_BETWEEN_TRIMS = 256

/** Where the store lives, and what it keeps. */
export interface SqliteStoreOptions {
  /** The database file; `:memory:` for one that is gone when it is closed. */
  readonly path: string
  /** @defaultValue {@link EVENT_BOUNDS} */
  readonly eventBounds?: EventBounds
}

/**
 * Opens the store, making or migrating the database as needed.
 *
 * @throws BerthError `InternalDependencyException`: not a database, not readable, or a newer Berth wrote it.
 * @throws BerthError `InsufficientStorage`: the disk is full.
 */
export function createSqliteStore(options: SqliteStoreOptions): Store {
  return new SqliteStore(options)
}

class SqliteStore implements Store {
  readonly #db: Database
  readonly #eventBounds: EventBounds
  readonly #listeners = new Set<(endpointName: string) => void>()
  readonly #jobListeners = new Set<() => void>()
  #insertsSinceTrim = INSERTS_BETWEEN_TRIMS

  constructor({ path, eventBounds = EVENT_BOUNDS }: SqliteStoreOptions) {
    this.#db = new Database(path)
    this.#eventBounds = eventBounds
  }

  async insertModel(model: Model, tags: Tags) {
    return models.insertModel(this.#db, model, tags)
  }

  async findModel(name: string) {
    return models.findModel(this.#db, name)
  }

  async listModels(query: ListQuery) {
    return models.listModels(this.#db, query)
  }

  async deleteModel(name: string) {
    return models.deleteModel(this.#db, name)
  }

  async insertEndpointConfig(config: EndpointConfig, tags: Tags) {
    return configs.insertEndpointConfig(this.#db, config, tags)
  }

  async findEndpointConfig(name: string) {
    return configs.findEndpointConfig(this.#db, name)
  }

  async listEndpointConfigs(query: ListQuery) {
    return configs.listEndpointConfigs(this.#db, query)
  }

  async deleteEndpointConfig(name: string) {
    return configs.deleteEndpointConfig(this.#db, name)
  }

  async insertEndpoint(endpoint: Endpoint, tags: Tags) {
    return this.#announce(endpoint.name, endpoints.insertEndpoint(this.#db, endpoint, tags))
  }

  async findEndpoint(name: string) {
    return endpoints.findEndpoint(this.#db, name)
  }

  async listEndpoints(query: ListQuery) {
    return endpoints.listEndpoints(this.#db, query)
  }

  async listEndpointNames() {
    return endpoints.listEndpointNames(this.#db)
  }

  async saveEndpoint(endpoint: Endpoint) {
    return this.#announce(endpoint.name, endpoints.saveEndpoint(this.#db, endpoint))
  }

  async removeEndpoint(name: string, revision: number) {
    return this.#announce(name, endpoints.removeEndpoint(this.#db, name, revision))
  }

  async insertCompilationJob(job: CompilationJob, tags: Tags) {
    return this.#announceJob(jobs.insertCompilationJob(this.#db, job, tags))
  }

  async findCompilationJob(name: string) {
    return jobs.findCompilationJob(this.#db, name)
  }

  async listCompilationJobs(query: ListQuery) {
    return jobs.listCompilationJobs(this.#db, query)
  }

  async listActiveCompilationJobs() {
    return jobs.listActiveCompilationJobs(this.#db)
  }

  async saveCompilationJob(job: CompilationJob) {
    return this.#announceJob(jobs.saveCompilationJob(this.#db, job))
  }

  async removeCompilationJob(name: string, revision: number) {
    return this.#announceJob(jobs.removeCompilationJob(this.#db, name, revision))
  }

  async findTags(arn: string) {
    return findTags(this.#db, arn)
  }

  async updateTags(arn: string, added: Tags, removedKeys: readonly string[]) {
    return updateTags(this.#db, arn, added, removedKeys)
  }

  // What happened has happened: a history that cannot be written must not fail it after the fact.
  async recordEvent(event: EndpointEvent) {
    try {
      insertEvent(this.#db, event, this.#eventBounds)
      this.#insertsSinceTrim += 1
      if (this.#insertsSinceTrim < INSERTS_BETWEEN_TRIMS) return
      trimEvents(this.#db, this.#eventBounds)
      this.#insertsSinceTrim = 0
    } catch (error) {
      if (!isBerthError(error)) throw error
    }
  }

  async listEvents(endpointName: string, limit: number) {
    return listEvents(this.#db, endpointName, limit)
  }

  onEndpointChange(listener: (endpointName: string) => void) {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  onCompilationJobChange(listener: () => void) {
    this.#jobListeners.add(listener)
    return () => {
      this.#jobListeners.delete(listener)
    }
  }

  async close() {
    this.#listeners.clear()
    this.#jobListeners.clear()
    this.#db.close()
  }

  // A listener runs after the write has returned, so that its failure cannot look like the write's.
  #announce(name: string, isChanged: boolean): boolean {
    if (isChanged) {
      queueMicrotask(() => {
        for (const listener of this.#listeners) listener(name)
      })
    }
    return isChanged
  }

  #announceJob(isChanged: boolean): boolean {
    if (isChanged) {
      queueMicrotask(() => {
        for (const listener of this.#jobListeners) listener()
      })
    }
    return isChanged
  }
}
