import type { DatabaseSync } from 'node:sqlite'
import { BerthError } from '../../domain/errors.ts'
import { SPINE } from './migrations/0001-spine.ts'
import { COMPILATION_JOBS } from './migrations/0002-compilation-jobs.ts'

/** Forward only; the schema version of a database is how many of these it has seen. */
const MIGRATIONS: readonly string[] = [SPINE, COMPILATION_JOBS]

/**
 * Brings a database to this program's schema, one transaction for each step.
 *
 * @throws BerthError `InternalDependencyException`: a newer Berth wrote it.
 */
export function migrate(db: DatabaseSync, path: string): void {
  const version = schemaVersion(db)
  if (version > MIGRATIONS.length) {
    throw new BerthError(
      'InternalDependencyException',
      `The database ${path} has schema version ${version}, this Berth knows up to ${MIGRATIONS.length}. ` +
        'A newer Berth wrote it: start that version, or use another data directory.',
    )
  }
  for (let step = version; step < MIGRATIONS.length; step += 1) {
    db.exec(`BEGIN IMMEDIATE;${MIGRATIONS[step] ?? ''};PRAGMA user_version = ${step + 1};COMMIT`)
  }
}

function schemaVersion(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0)
}
