import type { EndpointEvent } from '../../domain/event.ts'
import type { Database } from './database.ts'

/** How many events are kept: the newest of each endpoint, and of all endpoints together. */
export interface EventBounds {
  readonly perEndpointMax: number
  readonly totalMax: number
}

/** Days of a crash loop at its slowest back-off; about 50 MB in all. */
export const EVENT_BOUNDS: EventBounds = { perEndpointMax: 500, totalMax: 100_000 }

// Nothing is kept for an endpoint that is gone.
const INSERT_EVENT = `INSERT INTO events (endpoint_key, document)
  SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM endpoints WHERE name_key = ?1)`
const TRIM_ENDPOINT = `DELETE FROM events WHERE endpoint_key = ?1 AND event_id <=
  (SELECT event_id FROM events WHERE endpoint_key = ?1 ORDER BY event_id DESC LIMIT 1 OFFSET ?2)`
const COUNT_EVENTS = 'SELECT count(*) AS event_count FROM events'
const TRIM_OLDEST =
  'DELETE FROM events WHERE event_id IN (SELECT event_id FROM events ORDER BY event_id LIMIT ?)'
const LIST_EVENTS =
  'SELECT document FROM events WHERE endpoint_key = ? ORDER BY event_id DESC LIMIT ?'

/** Adds an event and drops what is beyond the bounds, in one transaction. */
export function insertEvent(db: Database, event: EndpointEvent, bounds: EventBounds): void {
  const endpointKey = event.endpointName.toLowerCase()
  db.write(() => {
    if (db.run(INSERT_EVENT, endpointKey, JSON.stringify(event)) === 0) return
    db.run(TRIM_ENDPOINT, endpointKey, bounds.perEndpointMax)
  })
}

/** Drops the oldest events of all endpoints until the total fits. */
export function trimEvents(db: Database, bounds: EventBounds): void {
  db.write(() => {
    const surplus = Number(db.get(COUNT_EVENTS)?.['event_count'] ?? 0) - bounds.totalMax
    if (surplus > 0) db.run(TRIM_OLDEST, surplus)
  })
}

/** See `Store.listEvents`. */
export function listEvents(
  db: Database,
  endpointName: string,
  limit: number,
): readonly EndpointEvent[] {
  return db
    .all(LIST_EVENTS, endpointName.toLowerCase(), limit)
    .map((row) => JSON.parse(String(row['document'])) as EndpointEvent)
}
