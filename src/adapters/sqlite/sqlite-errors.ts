import { BerthError } from '../../domain/errors.ts'

// Primary result codes; the low byte of the extended code that node:sqlite reports.
// Source: https://sqlite.org/rescode.html
const SQLITE_FULL = 13
// SQLITE_IOERR_SHMSIZE: the disk has no room for the index of the write-ahead log.
const SQLITE_IOERR_SHMSIZE = 4874

const MEANINGS: Readonly<Record<number, string>> = {
  5: 'another process holds it',
  8: 'it cannot be written',
  10: 'its disk reports an error',
  11: 'it is damaged',
  14: 'it cannot be opened',
  26: 'it is not a database',
}

/** What went wrong with the database at `path`, in Berth's own terms. Anything that is not SQLite's stays as it is. */
export function wrapSqliteError(error: unknown, path: string): unknown {
  const code = sqliteCode(error)
  if (code === undefined) return error
  if (code === SQLITE_IOERR_SHMSIZE || (code & 0xff) === SQLITE_FULL) {
    return new BerthError(
      'InsufficientStorage',
      `The disk that holds ${path} is full; nothing was changed.`,
      { cause: error },
    )
  }
  const meaning = MEANINGS[code & 0xff]
  // A broken SQL statement or constraint is a bug, and stays one.
  if (meaning === undefined) return error
  const detail = error instanceof Error ? ` (${error.message})` : ''
  return new BerthError(
    'InternalDependencyException',
    `The database ${path} did not answer: ${meaning}${detail}.`,
    { cause: error },
  )
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}
