import type { Model } from '../../domain/model.ts'
import type { ListQuery, Page, Summary, Tags } from '../../ports/store.ts'
import type { Database, Row } from './database.ts'
import { listPage } from './list.ts'
import { deleteTagSet, insertTagSet } from './tags.ts'

const INSERT_MODEL = `INSERT INTO models (name_key, name, arn, created_at_ms, document)
  VALUES (?, ?, ?, ?, ?) ON CONFLICT (name_key) DO NOTHING`
const FIND_MODEL = 'SELECT document FROM models WHERE name_key = ?'
const DELETE_MODEL = 'DELETE FROM models WHERE name_key = ? RETURNING arn'

/** See `Store.insertModel`. */
export function insertModel(db: Database, model: Model, tags: Tags): boolean {
  return db.write(() => {
    const { name, arn, createdAtMs } = model
    const document = JSON.stringify(model)
    if (db.run(INSERT_MODEL, name.toLowerCase(), name, arn, createdAtMs, document) === 0) {
      return false
    }
    insertTagSet(db, arn, tags)
    return true
  })
}

/** See `Store.findModel`. */
export function findModel(db: Database, name: string): Model | undefined {
  const row = db.get(FIND_MODEL, name.toLowerCase())
  return row === undefined ? undefined : (JSON.parse(String(row['document'])) as Model)
}

/** See `Store.listModels`. */
export function listModels(db: Database, query: ListQuery): Page<Summary> {
  return listPage(db, 'models', query, toSummary)
}

/** See `Store.deleteModel`. */
export function deleteModel(db: Database, name: string): boolean {
  return db.write(() => {
    const row = db.get(DELETE_MODEL, name.toLowerCase())
    if (row === undefined) return false
    deleteTagSet(db, String(row['arn']))
    return true
  })
}

/** A row of a list. */
export function toSummary(row: Row): Summary {
  return {
    name: String(row['name']),
    arn: String(row['arn']),
    createdAtMs: Number(row['created_at_ms']),
  }
}
