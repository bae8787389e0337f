import { DatabaseSync } from 'node:sqlite'

/** Exclusive use of a data directory, held until disposed or until the process dies in any way. */
export interface DataDirectoryLock {
  [Symbol.dispose](): void
}

/**
 * Takes the lock of a data directory, or `undefined` when a live process holds it.
 *
 * The lock is SQLite's own lock on an otherwise empty database file: the system gives it back with the process,
 * so a killed `berth up` leaves nothing to clean up, which a pid file cannot promise (pids are reused).
 */
export function acquireLock(lockFile: string): DataDirectoryLock | undefined {
  const database = new DatabaseSync(lockFile, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isLocked(error)) return undefined
    throw error
  }
  return { [Symbol.dispose]: () => database.close() }
}

const SQLITE_BUSY = 5

function isLocked(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}
