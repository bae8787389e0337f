import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { JsonObject, JsonValue } from '../../../domain/json.ts'
import type { RowQuery } from './row-source.ts'

const STATEMENTS_MAX = 100

/** The statements of one open file, each prepared once. */
export class SqliteStatements {
  readonly #database: DatabaseSync
  readonly #byText = new Map<string, StatementSync>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** @throws Error of SQLite, in its own words; of a column that JSON cannot carry. */
  find({ text, parameters, rowsMax }: RowQuery): readonly JsonObject[] {
    const statement = this.#prepare(text)
    const named = Object.fromEntries(
      parameters.map((value, index) => [`$${index + 1}`, bindable(value)]),
    )
    const rows: JsonObject[] = []
    for (const row of statement.iterate(named)) {
      if (rows.length === rowsMax) throw new Error(`The query gives more than ${rowsMax} rows`)
      rows.push(
        Object.fromEntries(Object.entries(row).map(([name, value]) => [name, read(name, value)])),
      )
    }
    return rows
  }

  #prepare(text: string): StatementSync {
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const statement = this.#database.prepare(text)
    statement.setReadBigInts(true)
    if (this.#byText.size < STATEMENTS_MAX) this.#byText.set(text, statement)
    return statement
  }
}

// An integer bound as a double equals no text; lists go in as JSON, for json_each.
function bindable(value: JsonValue): SQLInputValue {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (typeof value === 'object') return JSON.stringify(value)
  return Number.isSafeInteger(value) ? BigInt(value) : value
}

// Digits that a number cannot hold become text: an identifier must not change on its way.
function read(name: string, value: unknown): JsonValue {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value !== 'bigint') {
    throw new Error(`Column ${name} holds bytes, which JSON cannot carry: cast it in the query`)
  }
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}
