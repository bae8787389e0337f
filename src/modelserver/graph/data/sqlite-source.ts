import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import type { JsonObject } from '../../../domain/json.ts'
import { StartFailure } from '../../start-failure.ts'
import { NodeFailure } from '../node-failure.ts'
import type { RowQuery, RowSource } from './row-source.ts'
import { sqliteThreadUrl } from './sqlite-thread-url.ts'

/** What a thread answers to a query. */
export type SqliteAnswer =
  | { readonly kind: 'rows'; readonly rows: readonly JsonObject[] }
  | { readonly kind: 'failure'; readonly message: string }

/** A file of SQLite and how many queries may run and wait. */
export interface SqliteOptions {
  /** Of the database in the description. */
  readonly name: string
  readonly path: string
  readonly threadCount: number
  readonly waitingMax: number
}

interface Waiting {
  readonly query: RowQuery
  readonly give: (thread: Worker) => void
}

/**
 * Asks a file of SQLite in threads, one query at a time in each.
 *
 * SQLite cannot be interrupted from outside here: the thread of a query whose caller has left is ended, and its place is free when
 * SQLite lets go of it. Until then others wait for the remaining threads, and give up at their own time limit.
 */
export class SqliteSource implements RowSource {
  readonly #options: SqliteOptions
  readonly #free: Worker[] = []
  readonly #waiting = new Set<Waiting>()
  /** Threads that run, wait or end. */
  #threadCount = 0
  #isClosed = false

  constructor(options: SqliteOptions) {
    this.#options = options
  }

  /** Prepares queries without running them, and starts the first thread. @throws StartFailure `modelInvalid`: no database, or a query is wrong. */
  prepare(queries: readonly string[]): void {
    const { name, path } = this.#options
    let query = ''
    try {
      using database = new DatabaseSync(path, { readOnly: true })
      database.prepare('SELECT count(*) FROM sqlite_schema').get()
      for (query of queries) database.prepare(query)
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error)
      const which = query === '' ? '' : ` The query: ${query}`
      throw new StartFailure('modelInvalid', `Database ${name}: ${words}.${which}`)
    }
    this.#free.push(this.#start())
  }

  async find(query: RowQuery, signal: AbortSignal): Promise<readonly JsonObject[]> {
    const thread = await this.#claim(query, signal)
    const answer = await this.#run(thread, query, signal)
    if (answer.kind === 'rows') return answer.rows
    const { name } = this.#options
    throw new NodeFailure(`The query of database ${name} fails: ${answer.message}.`, 502)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#free.splice(0).map((thread) => thread.terminate()))
  }

  async #claim(query: RowQuery, signal: AbortSignal): Promise<Worker> {
    const { name, threadCount, waitingMax } = this.#options
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#threadCount < threadCount) {
      return this.#start()
    }
    if (this.#waiting.size >= waitingMax) {
      const what = `Database ${name} has ${this.#waiting.size} look-ups waiting`
      throw new NodeFailure(`${what}; ${waitingMax} are allowed.`, 503)
    }
    const { promise, resolve, reject } = Promise.withResolvers<Worker>()
    const waiting = { query, give: resolve }
    const leave = (): void => {
      this.#waiting.delete(waiting)
      reject(signal.reason)
    }
    this.#waiting.add(waiting)
    signal.addEventListener('abort', leave, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', leave))
  }

  #run(thread: Worker, query: RowQuery, signal: AbortSignal): Promise<SqliteAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<SqliteAnswer>()
    const take = (answer: SqliteAnswer): void => {
      stopListening()
      this.#giveBack(thread)
      resolve(answer)
    }
    const lose = (reason: unknown): void => {
      stopListening()
      void thread.terminate().then(() => this.#replace())
      reject(reason)
    }
    const abort = (): void => lose(signal.reason)
    const die = (error: unknown): void => {
      const words = error instanceof Error ? error.message : String(error)
      lose(new NodeFailure(`Database ${this.#options.name} cannot be read: ${words}.`, 502))
    }
    const stopListening = (): void => {
      thread.removeListener('message', take).removeListener('error', die)
      signal.removeEventListener('abort', abort)
    }
    if (signal.aborted) {
      this.#giveBack(thread)
      throw signal.reason
    }
    thread.on('message', take).on('error', die)
    signal.addEventListener('abort', abort, { once: true })
    thread.postMessage(query)
    return promise
  }

  #giveBack(thread: Worker): void {
    const [next] = this.#waiting
    if (next === undefined) {
      if (this.#isClosed) void thread.terminate()
      else this.#free.push(thread)
      return
    }
    this.#waiting.delete(next)
    next.give(thread)
  }

  #replace(): void {
    this.#threadCount -= 1
    const [next] = this.#waiting
    if (next === undefined || this.#isClosed) return
    this.#waiting.delete(next)
    next.give(this.#start())
  }

  #start(): Worker {
    this.#threadCount += 1
    const { path } = this.#options
    const thread = new Worker(sqliteThreadUrl(), { workerData: { path } })
    thread.unref()
    // Whoever waits for an answer hears of it; an error that nobody waits for must not end the process.
    thread.on('error', () => undefined)
    return thread
  }
}
