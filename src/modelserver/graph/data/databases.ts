import type { Database, FeatureTable } from '../../../domain/graph/database.ts'
import type { GraphPlan } from '../../../domain/graph/plan-graph.ts'
import type { JsonObject } from '../../../domain/json.ts'
import type { Log } from '../../log.ts'
import { StartFailure } from '../../start-failure.ts'
import { Guard } from '../guard.ts'
import { withinTime } from '../time-limit.ts'
import { FeatureRows } from './feature-rows.ts'
import { findFile } from './file-place.ts'
import type { FilePlaces } from './file-place.ts'
import { PostgresSource } from './postgres-source.ts'
import type { RowQuery, RowSource } from './row-source.ts'
import { SqliteSource } from './sqlite-source.ts'
import { WatchedFile } from './watched-file.ts'

/** What databases of a graph need. */
export interface DatabasesOptions extends FilePlaces {
  readonly plan: GraphPlan
  readonly log: Log
}

interface Guarded {
  readonly source: RowSource
  readonly guard: Guard
  readonly timeoutMs: number
}

/** The databases of a graph, open. Time limit and circuit breaker of every look-up are here, and nowhere else. */
export class Databases {
  readonly #guardedByName = new Map<string, Guarded>()
  readonly #tableByName = new Map<string, WatchedFile<FeatureRows>>()

  /** @throws StartFailure: a variable or file is missing, a file is no database, or a query of SQLite is wrong. */
  constructor(options: DatabasesOptions) {
    for (const [name, database] of options.plan.databaseByName) {
      if (database.kind === 'features') {
        this.#tableByName.set(name, openTable(name, database, options))
        continue
      }
      const guard = new Guard({ breaker: database.breaker, hedge: undefined })
      const source = openSource(name, database, options)
      this.#guardedByName.set(name, { source, guard, timeoutMs: database.timeoutMs })
    }
  }

  /** Asks a database. @throws NodeFailure; whatever the signal aborted with. */
  findRows(name: string, query: RowQuery, signal: AbortSignal): Promise<readonly JsonObject[]> {
    const guarded = this.#guardedByName.get(name)
    if (guarded === undefined) throw new Error(`no database ${name}`)
    const { source, guard, timeoutMs } = guarded
    const find = (outer: AbortSignal): Promise<readonly JsonObject[]> =>
      withinTime(`Database ${name}`, timeoutMs, outer, (inner) => source.find(query, inner))
    return guard.send(`database ${name}`, find, signal)
  }

  /** The rows of a feature table, as they are now. */
  table(name: string): FeatureRows {
    const file = this.#tableByName.get(name)
    if (file === undefined) throw new Error(`no feature table ${name}`)
    return file.get()
  }

  async close(): Promise<void> {
    for (const file of this.#tableByName.values()) file[Symbol.dispose]()
    await Promise.all([...this.#guardedByName.values()].map(({ source }) => source.close()))
  }
}

function openSource(
  name: string,
  database: Exclude<Database, FeatureTable>,
  options: DatabasesOptions,
): RowSource {
  if (database.kind === 'postgres') return new PostgresSource({ name, database, ...options })
  const path = findFile(name, database.file, options)
  const source = new SqliteSource({ ...database, name, path })
  source.prepare(
    options.plan.nodes.flatMap(({ step }) =>
      step.kind === 'lookup' && step.database === name ? [step.query] : [],
    ),
  )
  return source
}

function openTable(
  name: string,
  { file }: FeatureTable,
  options: DatabasesOptions,
): WatchedFile<FeatureRows> {
  const path = findFile(name, file, options)
  try {
    return new WatchedFile(
      path,
      (database) => new FeatureRows(database),
      (error) =>
        options.log('warn', 'feature table not replaced', { table: name, why: String(error) }),
    )
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    throw new StartFailure('modelInvalid', `Feature table ${name}: ${words}.`)
  }
}
