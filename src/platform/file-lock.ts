import { DatabaseSync } from 'node:sqlite'

/** Exclusive use of a lock file, held until disposed or until the process dies in any way. */
export interface FileLock {
  [Symbol.dispose](): void
}

/**
 * Takes the lock of a file, which is made if need be, or `undefined` when another holder has it, of this process or another.
 *
 * The lock is SQLite's own lock on an otherwise empty database file: the system gives it back with the process, so whoever is
 * killed leaves nothing to clean up or take over, which a file with a pid in it cannot promise (pids are reused, and two that
 * find a dead holder at once may each remove what the other has just made). For the same reason the file is never removed: a
 * lock on a file without a name keeps nobody from making another one of that name.
 *
 * Never read the file in the process that holds it: closing any descriptor of a file gives up the process's locks on it (POSIX).
 */
export function acquireLock(lockFile: string): FileLock | undefined {
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
