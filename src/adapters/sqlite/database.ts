import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { migrate } from './migrate.ts'
import { wrapSqliteError } from './sqlite-errors.ts'

// Long enough for a copy of the file to be taken; there is one writer, so nothing else holds the lock.
const BUSY_TIMEOUT_MS = 2000
// What the write-ahead log is cut back to after it was moved into the database.
const WAL_BYTES_MAX = 16 * 1024 * 1024
// Bounded, because every combination of a list's filters is a statement of its own.
const STATEMENTS_MAX = 512

/** A row as SQLite gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>

/**
 * One connection with this program's schema. Calls are synchronous, so a transaction never interleaves with another.
 *
 * A committed transaction survives the death of the machine (WAL with `synchronous=FULL`).
 */
export class Database {
  readonly #db: DatabaseSync
  readonly #path: string
  readonly #statementBySql = new Map<string, ReturnType<DatabaseSync['prepare']>>()

  constructor(path: string) {
    this.#path = path
    this.#db = openDatabase(path)
  }

  /** All rows of a query. */
  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#guard(() => this.#prepare(sql).all(...values))
  }

  /** The first row of a query. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#prepare(sql).get(...values))
  }

  /** @returns how many rows the statement changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#prepare(sql).run(...values).changes))
  }

  /** Runs the body in one transaction: all of it is durable when this returns, or none of it if anything throws. */
  write<T>(body: () => T): T {
    return this.#guard(() => {
      this.#db.exec('BEGIN IMMEDIATE')
      try {
        const result = body()
        this.#db.exec('COMMIT')
        return result
      } catch (error) {
        this.#rollBack()
        throw error
      }
    })
  }

  close(): void {
    this.#statementBySql.clear()
    if (this.#db.isOpen) this.#db.close()
  }

  #prepare(sql: string): ReturnType<DatabaseSync['prepare']> {
    const known = this.#statementBySql.get(sql)
    if (known !== undefined) return known
    const statement = this.#db.prepare(sql)
    if (this.#statementBySql.size >= STATEMENTS_MAX) this.#statementBySql.clear()
    this.#statementBySql.set(sql, statement)
    return statement
  }

  // SQLite has rolled back by itself after some errors, a full disk among them.
  #rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
  }

  #guard<T>(body: () => T): T {
    try {
      return body()
    } catch (error) {
      throw wrapSqliteError(error, this.#path)
    }
  }
}

function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
    db.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`,
    )
    migrate(db, path)
    return db
  } catch (error) {
    db?.close()
    throw wrapSqliteError(error, path)
  }
}
