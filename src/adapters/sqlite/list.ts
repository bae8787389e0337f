import type { SQLInputValue } from 'node:sqlite'
import type { ListCursor, ListQuery, Page } from '../../ports/store.ts'
import type { Database, Row } from './database.ts'

const COLUMNS = {
  models: 'name, arn, created_at_ms',
  endpoint_configs: 'name, arn, created_at_ms',
  endpoints: 'name, arn, created_at_ms, modified_at_ms, status',
  compilation_jobs: 'name, arn, created_at_ms, modified_at_ms, status, document',
} as const

/** Tables whose rows lists show. */
type ListedTable = keyof typeof COLUMNS

const SORT_COLUMN = {
  Name: 'name_key',
  CreationTime: 'created_at_ms',
  Status: 'status',
} as const satisfies Record<ListQuery['sortBy'], string>

/**
 * One page by key, not by offset: a row inserted or deleted between two pages neither repeats nor hides another.
 * Rows with the same sort key are ordered by name, in the same direction.
 */
export function listPage<T>(
  db: Database,
  table: ListedTable,
  query: ListQuery,
  toItem: (row: Row) => T,
): Page<T> {
  const column = SORT_COLUMN[query.sortBy]
  const where = whereOf(query, column)
  const direction = query.descending ? 'DESC' : 'ASC'
  const order =
    column === 'name_key'
      ? `name_key ${direction}`
      : `${column} ${direction}, name_key ${direction}`
  const rows = db.all(
    `SELECT ${COLUMNS[table]} FROM ${table} ${where.sql} ORDER BY ${order} LIMIT ?`,
    ...where.values,
    query.limit + 1,
  )
  const shown = rows.slice(0, query.limit)
  const last = rows.length > query.limit ? shown.at(-1) : undefined
  return { items: shown.map(toItem), next: last === undefined ? undefined : cursorOf(last, query) }
}

function cursorOf(row: Row, { sortBy }: ListQuery): ListCursor {
  const name = String(row['name'])
  switch (sortBy) {
    case 'Name':
      return { sortKey: name, name }
    case 'CreationTime':
      return { sortKey: Number(row['created_at_ms']), name }
    case 'Status':
      return { sortKey: String(row['status']), name }
  }
}

interface Where {
  readonly sql: string
  readonly values: readonly SQLInputValue[]
}

function whereOf(query: ListQuery, column: string): Where {
  const terms: [condition: string, value: SQLInputValue | undefined][] = [
    // instr, not LIKE: a name may be searched for any text, `%` and `_` included.
    ['instr(name_key, ?) > 0', query.nameContains?.toLowerCase()],
    ['created_at_ms >= ?', query.createdAfterMs],
    ['created_at_ms < ?', query.createdBeforeMs],
    ['modified_at_ms >= ?', query.modifiedAfterMs],
    ['modified_at_ms < ?', query.modifiedBeforeMs],
    ['status = ?', query.status],
  ]
  const given = terms.filter((term): term is [string, SQLInputValue] => term[1] !== undefined)
  const after = afterOf(query, column)
  const conditions = [...given.map(([condition]) => condition), ...after.conditions]
  return {
    sql: conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`,
    values: [...given.map(([, value]) => value), ...after.values],
  }
}

function afterOf(
  { after, descending }: ListQuery,
  column: string,
): { readonly conditions: readonly string[]; readonly values: readonly SQLInputValue[] } {
  if (after === undefined) return { conditions: [], values: [] }
  const beyond = descending ? '<' : '>'
  const nameKey = after.name.toLowerCase()
  if (column === 'name_key') return { conditions: [`name_key ${beyond} ?`], values: [nameKey] }
  return {
    conditions: [`(${column}, name_key) ${beyond} (?, ?)`],
    values: [after.sortKey, nameKey],
  }
}
