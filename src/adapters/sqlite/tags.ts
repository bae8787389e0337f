import type { Tags, UpdatedTags } from '../../ports/store.ts'
import type { Database } from './database.ts'

/** Source: SageMaker API reference, `TagList` (at most 50). */
const TAGS_MAX = 50

const INSERT_TAG_SET = 'INSERT INTO tag_sets (arn, tags) VALUES (?, ?)'
const FIND_TAG_SET = 'SELECT tags FROM tag_sets WHERE arn = ?'
const SAVE_TAG_SET = 'UPDATE tag_sets SET tags = ? WHERE arn = ?'
const DELETE_TAG_SET = 'DELETE FROM tag_sets WHERE arn = ?'

/** Part of the transaction that inserts a resource. */
export function insertTagSet(db: Database, arn: string, tags: Tags): void {
  db.run(INSERT_TAG_SET, arn, encodeTags(tags))
}

/** Part of the transaction that deletes a resource. */
export function deleteTagSet(db: Database, arn: string): void {
  db.run(DELETE_TAG_SET, arn)
}

/** @returns undefined when no resource has this ARN. */
export function findTags(db: Database, arn: string): Tags | undefined {
  const row = db.get(FIND_TAG_SET, arn)
  return row === undefined ? undefined : parseTags(String(row['tags']))
}

/** See `Store.updateTags`. */
export function updateTags(
  db: Database,
  arn: string,
  added: Tags,
  removedKeys: readonly string[],
): UpdatedTags {
  return db.write(() => {
    const present = findTags(db, arn)
    if (present === undefined) return { kind: 'no-such-resource' }
    const tags = mergeTags(present, added, removedKeys)
    const tagCount = Object.keys(tags).length
    if (tagCount > TAGS_MAX) return { kind: 'too-many', tagCount }
    db.run(SAVE_TAG_SET, encodeTags(tags), arn)
    return { kind: 'updated', tags }
  })
}

function mergeTags(present: Tags, added: Tags, removedKeys: readonly string[]): Tags {
  const merged = new Map([...Object.entries(present), ...Object.entries(added)])
  for (const key of removedKeys) merged.delete(key)
  return Object.fromEntries(merged)
}

// Pairs, because an object would move keys that look like numbers to the front.
function encodeTags(tags: Tags): string {
  return JSON.stringify(Object.entries(tags))
}

function parseTags(text: string): Tags {
  return Object.fromEntries(JSON.parse(text) as [string, string][])
}
