import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue } from 'node:sqlite'
import { createTablesSql } from '../../domain/features/feature-file.ts'
import type { ColumnKind, FeatureHead } from '../../domain/features/feature-file.ts'
import type { JsonValue } from '../../domain/json.ts'
import { CliFailure } from '../failure.ts'
import type { Cell, Row } from './read-rows.ts'

/**
 * Writes a feature table beside its place and renames it there: readers have the old table or the new one, whole, and a death at
 * any line leaves the old one. Of two loads at a time the last to finish counts.
 *
 * @throws CliFailure `usage`: a key is there twice.
 */
export async function writeFeatureFile(
  path: string,
  head: FeatureHead,
  rows: AsyncIterable<Row>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  try {
    await write(temporary, head, rows)
    flush(temporary)
    renameSync(temporary, path)
    flush(dirname(resolve(path)))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

async function write(path: string, head: FeatureHead, rows: AsyncIterable<Row>): Promise<void> {
  using database = new DatabaseSync(path)
  // Nobody else sees the file, and nobody keeps it when we die.
  database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN')
  database.exec(createTablesSql(head))
  const all = [head.key, ...head.columns]
  const describe = database.prepare('INSERT INTO feature_columns (name, kind) VALUES (?, ?)')
  for (const { name, kind } of all) describe.run(name, kind)
  const places = all.map(() => '?').join(', ')
  const insert = database.prepare(`INSERT OR IGNORE INTO features VALUES (${places})`)
  let rowCount = 0
  for await (const { line, cells } of rows) {
    const values = all.map(({ name, kind }) => bindable(cells.get(name), kind))
    if (insert.run(...values).changes === 0) {
      const what = `Line ${line}: ${head.key.name} ${keyOf(cells, head)} is there twice.`
      throw new CliFailure('usage', what)
    }
    rowCount += 1
  }
  database.prepare('INSERT INTO feature_table VALUES (?, ?)').run(rowCount, Date.now())
  database.exec('COMMIT')
}

function keyOf(cells: Row['cells'], { key }: FeatureHead): string {
  return JSON.stringify(cells.get(key.name)?.as(key.kind))
}

function bindable(cell: Cell | undefined, kind: ColumnKind): SQLInputValue {
  const value: JsonValue = cell?.as(kind) ?? null
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'object') return JSON.stringify(value)
  if (kind === 'text') return String(value)
  return kind === 'integer' ? BigInt(value) : Number(value)
}

function flush(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
