import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { COLUMN_KINDS, FEATURE_FILE_ID, quoteName } from '../../../domain/features/feature-file.ts'
import type { ColumnKind, FeatureColumn } from '../../../domain/features/feature-file.ts'
import type { JsonObject, JsonValue } from '../../../domain/json.ts'

/** One feature file that is open: rows by key, on the caller's thread. A row takes microseconds: it is one step in one tree. */
export class FeatureRows {
  readonly keyName: string
  /** In the order in which they were loaded. */
  readonly columns: readonly FeatureColumn[]
  readonly #isKeyText: boolean
  readonly #find: StatementSync

  /** @throws Error in words: it is no feature file. */
  constructor(database: DatabaseSync) {
    const { application_id: id } = database.prepare('PRAGMA application_id').get() ?? {}
    if (id !== FEATURE_FILE_ID) throw new Error('it is no file of `berth features load`')
    const heads = database
      .prepare('SELECT name, kind FROM feature_columns ORDER BY position')
      .all()
      .map(({ name, kind }) => ({ name: String(name), kind: kindOf(kind) }))
    const [key, ...columns] = heads
    if (key === undefined) throw new Error('it has no columns')
    this.keyName = key.name
    this.columns = columns
    this.#isKeyText = key.kind !== 'integer'
    // A table of keys alone says who is there.
    const names = columns.map(({ name }) => quoteName(name)).join(', ') || '1'
    const where = `WHERE ${quoteName(key.name)} = ?`
    this.#find = database.prepare(`SELECT ${names} FROM features ${where}`)
    this.#find.setReturnArrays(true)
  }

  /** The row of a key, by column; undefined when there is none. */
  find(key: string | number): JsonObject | undefined {
    const bound = this.#bindable(key)
    if (bound === undefined) return undefined
    const found: unknown = this.#find.get(bound)
    if (!Array.isArray(found)) return undefined
    return Object.fromEntries(
      this.columns.map(({ name, kind }, at) => [name, read(found[at], kind)]),
    )
  }

  // 7 and "7" are the same key: what is a number in one system is text in the next.
  #bindable(key: string | number): string | number | undefined {
    if (this.#isKeyText) return String(key)
    const number = typeof key === 'number' ? key : /^-?\d+$/.test(key) ? Number(key) : Number.NaN
    return Number.isSafeInteger(number) ? number : undefined
  }
}

function kindOf(kind: unknown): ColumnKind {
  const known = COLUMN_KINDS.find((each) => each === kind)
  if (known === undefined) throw new Error(`it has a column of kind ${String(kind)}`)
  return known
}

function read(value: unknown, kind: ColumnKind): JsonValue {
  if (typeof value === 'number') return kind === 'boolean' ? value === 1 : value
  if (typeof value !== 'string') return null
  if (kind !== 'json') return value
  const parsed: JsonValue = JSON.parse(value)
  return parsed
}
