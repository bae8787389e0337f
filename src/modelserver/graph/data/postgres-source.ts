import { Client, Pool, Query } from 'pg'
import type { PoolClient } from 'pg'
import type { PostgresDatabase } from '../../../domain/graph/database.ts'
import type { JsonObject, JsonValue } from '../../../domain/json.ts'
import type { Log } from '../../log.ts'
import { StartFailure } from '../../start-failure.ts'
import { NodeFailure } from '../node-failure.ts'
import { codeOf, toFailure } from './postgres-failure.ts'
import { columnOf, createTypes } from './postgres-values.ts'
import type { RowQuery, RowSource } from './row-source.ts'

const IDLE_MS = 30_000

/** What a connection to a database needs. */
export interface PostgresOptions {
  /** Of the database in the description. */
  readonly name: string
  readonly database: PostgresDatabase
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

/**
 * Asks a PostgreSQL server, by a bounded number of connections that are made when they are first needed: a graph starts, and
 * answers what needs no look-up, while the server is away.
 *
 * Every session is read-only and has a statement time-out, so that a query whose caller has left ends by itself.
 */
export class PostgresSource implements RowSource {
  readonly #name: string
  readonly #waitingMax: number
  readonly #pool: Pool
  readonly #log: Log
  #lastFailure: string | undefined

  /** @throws StartFailure `badOptions`: a variable is missing or no URL of PostgreSQL. Never says what it holds. */
  constructor({ name, database, environment, log }: PostgresOptions) {
    const { connectionsMax, waitingMax, timeoutMs } = database
    this.#name = name
    this.#waitingMax = waitingMax
    this.#log = log
    this.#pool = new Pool({
      connectionString: readUrl(name, database, environment),
      max: connectionsMax,
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      application_name: 'berth/graph',
      options: '-c default_transaction_read_only=on',
      types: createTypes(),
    })
    // A connection that breaks while nobody uses it; the pool has left it out already.
    this.#pool.on('error', (error) => this.#tell(codeOf(error)))
  }

  async find(query: RowQuery, signal: AbortSignal): Promise<readonly JsonObject[]> {
    if (this.#pool.waitingCount >= this.#waitingMax && this.#isFull()) {
      const what = `Database ${this.#name} has ${this.#pool.waitingCount} look-ups waiting`
      throw new NodeFailure(`${what}; ${this.#waitingMax} are allowed.`, 503)
    }
    try {
      const client = await this.#connect(signal)
      const rows = await ask(client, query, signal)
      this.#lastFailure = undefined
      return rows
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof NodeFailure) throw error
      this.#tell(codeOf(error))
      throw toFailure(this.#name, error)
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  #isFull(): boolean {
    return this.#pool.idleCount === 0 && this.#pool.totalCount >= this.#pool.options.max
  }

  // The pool cannot forget who waits: what it gives to a caller that left goes back at once.
  async #connect(signal: AbortSignal): Promise<PoolClient> {
    const client = await this.#pool.connect()
    if (!signal.aborted) return client
    client.release()
    throw signal.reason
  }

  // One line when it begins, not one for each call.
  #tell(code: string): void {
    if (this.#lastFailure === code) return
    this.#lastFailure = code
    this.#log('warn', 'database failed', { database: this.#name, code })
  }
}

function ask(
  client: PoolClient,
  { text, parameters, rowsMax }: RowQuery,
  signal: AbortSignal,
): Promise<readonly JsonObject[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly JsonObject[]>()
  const rows: JsonObject[] = []
  let isOver = false
  /** @param isBroken the connection still has work of ours: it is closed. */
  const end = (isBroken: boolean, settle: () => void): void => {
    if (isOver) return
    isOver = true
    signal.removeEventListener('abort', abort)
    client.removeListener('error', fail)
    client.release(isBroken)
    settle()
  }
  const abort = (): void => end(true, () => reject(signal.reason))
  const fail = (error: Error): void => end(!hasCode(error), () => reject(error))
  const values: JsonValue[] = [...parameters]
  // Extended even without parameters: the simple protocol would take several statements.
  const config = { text, values, queryMode: 'extended' }
  const query = new Query<Record<string, unknown>, JsonValue[]>(config)
  query.on('row', (row) => {
    if (isOver) return
    if (rows.length === rowsMax) {
      const what = `The query gives more than ${rowsMax} rows.`
      end(true, () => reject(new NodeFailure(what, 502)))
      return
    }
    try {
      rows.push(toJson(row))
    } catch (error) {
      end(true, () => reject(error))
    }
  })
  query.on('error', fail)
  query.on('end', () => end(false, () => resolve(rows)))
  client.on('error', fail)
  signal.addEventListener('abort', abort, { once: true })
  client.query(query)
  return promise
}

function toJson(row: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, columnOf(name, value)]),
  )
}

// The server answered: the connection is whole.
function hasCode(error: Error): boolean {
  return 'severity' in error && error.severity === 'ERROR'
}

function readUrl(
  name: string,
  { urlVariable, passwordVariable }: PostgresDatabase,
  environment: PostgresOptions['environment'],
): string {
  const refuse = (what: string): StartFailure =>
    new StartFailure('badOptions', `Database ${name}: ${what}`)
  const text = environment[urlVariable]
  if (text === undefined) throw refuse(`the container has no variable ${urlVariable}.`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw refuse(`${urlVariable} must be a URL like postgres://user@host:5432/name.`)
  }
  if (passwordVariable !== undefined) {
    const password = environment[passwordVariable]
    if (password === undefined) throw refuse(`the container has no variable ${passwordVariable}.`)
    url.password = encodeURIComponent(password)
  }
  try {
    // Reads what the URL names, certificates among it; connects to nobody.
    new Client({ connectionString: url.href })
  } catch (error) {
    throw refuse(`${urlVariable} cannot be used (${codeOf(error)}).`)
  }
  return url.href
}
