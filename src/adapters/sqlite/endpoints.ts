import { ENDPOINT_STATUSES } from '../../domain/endpoint.ts'
import type { Endpoint, EndpointStatus } from '../../domain/endpoint.ts'
import type { EndpointSummary, ListQuery, Page, Tags } from '../../ports/store.ts'
import type { Database, Row } from './database.ts'
import { listPage } from './list.ts'
import { toSummary } from './models.ts'
import { deleteTagSet, insertTagSet } from './tags.ts'

const INSERT_ENDPOINT = `INSERT INTO endpoints
  (name_key, name, arn, created_at_ms, modified_at_ms, status, endpoint_id, revision, document)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name_key) DO NOTHING`
const FIND_ENDPOINT = 'SELECT document, revision FROM endpoints WHERE name_key = ?'
const LIST_NAMES = 'SELECT name FROM endpoints ORDER BY name_key'
// The id is part of the precondition: an endpoint of the same name made later may reach the same revision.
const SAVE_ENDPOINT = `UPDATE endpoints
  SET modified_at_ms = ?, status = ?, revision = revision + 1, document = ?
  WHERE name_key = ? AND endpoint_id = ? AND revision = ?`
const REMOVE_ENDPOINT = 'DELETE FROM endpoints WHERE name_key = ? AND revision = ? RETURNING arn'

/** See `Store.insertEndpoint`. */
export function insertEndpoint(db: Database, endpoint: Endpoint, tags: Tags): boolean {
  return db.write(() => {
    const inserted = db.run(
      INSERT_ENDPOINT,
      endpoint.name.toLowerCase(),
      endpoint.name,
      endpoint.arn,
      endpoint.createdAtMs,
      endpoint.modifiedAtMs,
      endpoint.status,
      endpoint.endpointId,
      endpoint.revision,
      encodeDocument(endpoint),
    )
    if (inserted === 0) return false
    insertTagSet(db, endpoint.arn, tags)
    return true
  })
}

/** See `Store.findEndpoint`. */
export function findEndpoint(db: Database, name: string): Endpoint | undefined {
  const row = db.get(FIND_ENDPOINT, name.toLowerCase())
  if (row === undefined) return undefined
  const document = JSON.parse(String(row['document'])) as Endpoint
  return {
    ...document,
    failureReason: document.failureReason,
    serving: document.serving,
    deployment: document.deployment,
    lastDeploymentConfig: document.lastDeploymentConfig,
    revision: Number(row['revision']),
  }
}

/** See `Store.listEndpoints`. */
export function listEndpoints(db: Database, query: ListQuery): Page<EndpointSummary> {
  return listPage(db, 'endpoints', query, toEndpointSummary)
}

/** See `Store.listEndpointNames`. */
export function listEndpointNames(db: Database): readonly string[] {
  return db.all(LIST_NAMES).map((row) => String(row['name']))
}

/** See `Store.saveEndpoint`. */
export function saveEndpoint(db: Database, endpoint: Endpoint): boolean {
  return db.write(
    () =>
      db.run(
        SAVE_ENDPOINT,
        endpoint.modifiedAtMs,
        endpoint.status,
        encodeDocument(endpoint),
        endpoint.name.toLowerCase(),
        endpoint.endpointId,
        endpoint.revision,
      ) > 0,
  )
}

/** See `Store.removeEndpoint`. Its events go with it, by their foreign key. */
export function removeEndpoint(db: Database, name: string, revision: number): boolean {
  return db.write(() => {
    const row = db.get(REMOVE_ENDPOINT, name.toLowerCase(), revision)
    if (row === undefined) return false
    deleteTagSet(db, String(row['arn']))
    return true
  })
}

// The revision is a column alone, so that it cannot contradict itself.
function encodeDocument(endpoint: Endpoint): string {
  return JSON.stringify({ ...endpoint, revision: undefined })
}

function toEndpointSummary(row: Row): EndpointSummary {
  return {
    ...toSummary(row),
    modifiedAtMs: Number(row['modified_at_ms']),
    status: parseStatus(String(row['status'])),
  }
}

function parseStatus(text: string): EndpointStatus {
  const status = ENDPOINT_STATUSES.find((known) => known === text)
  if (status === undefined) throw new Error(`unknown endpoint status ${text} in the database`)
  return status
}
