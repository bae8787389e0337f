import type { EndpointConfig } from '../../domain/endpoint-config.ts'
import type { ListQuery, Page, Summary, Tags } from '../../ports/store.ts'
import type { Database } from './database.ts'
import { listPage } from './list.ts'
import { toSummary } from './models.ts'
import { deleteTagSet, insertTagSet } from './tags.ts'

const INSERT_CONFIG = `INSERT INTO endpoint_configs (name_key, name, arn, created_at_ms, document)
  VALUES (?, ?, ?, ?, ?) ON CONFLICT (name_key) DO NOTHING`
const FIND_CONFIG = 'SELECT document FROM endpoint_configs WHERE name_key = ?'
const DELETE_CONFIG = 'DELETE FROM endpoint_configs WHERE name_key = ? RETURNING arn'

/** See `Store.insertEndpointConfig`. */
export function insertEndpointConfig(db: Database, config: EndpointConfig, tags: Tags): boolean {
  return db.write(() => {
    const { name, arn, createdAtMs } = config
    const document = JSON.stringify(config)
    if (db.run(INSERT_CONFIG, name.toLowerCase(), name, arn, createdAtMs, document) === 0) {
      return false
    }
    insertTagSet(db, arn, tags)
    return true
  })
}

/** See `Store.findEndpointConfig`. */
export function findEndpointConfig(db: Database, name: string): EndpointConfig | undefined {
  const row = db.get(FIND_CONFIG, name.toLowerCase())
  return row === undefined ? undefined : (JSON.parse(String(row['document'])) as EndpointConfig)
}

/** See `Store.listEndpointConfigs`. */
export function listEndpointConfigs(db: Database, query: ListQuery): Page<Summary> {
  return listPage(db, 'endpoint_configs', query, toSummary)
}

/** See `Store.deleteEndpointConfig`. */
export function deleteEndpointConfig(db: Database, name: string): boolean {
  return db.write(() => {
    const row = db.get(DELETE_CONFIG, name.toLowerCase())
    if (row === undefined) return false
    deleteTagSet(db, String(row['arn']))
    return true
  })
}
