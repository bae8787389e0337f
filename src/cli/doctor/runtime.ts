import { accessSync, constants, existsSync, statSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { formatBytes } from '../../platform/format-bytes.ts'
import type { DataPaths } from '../../platform/data-paths.ts'
import { fieldOf } from '../json.ts'
import { error, ok, warn } from './finding.ts'
import type { Finding } from './finding.ts'

const FREE_BYTES_MIN = 100_000_000
const FREE_BYTES_COMFORTABLE = 2_000_000_000

/** The data directory: rights, space, who uses it, where its sockets lie. */
export function describeRuntime(paths: DataPaths): Finding[] {
  return [describeRights(paths), describeSpace(paths), describeLock(paths), describeSockets(paths)]
}

function describeRights({ dataDir }: DataPaths): Finding {
  const existing = closestExisting(dataDir)
  try {
    accessSync(existing, constants.W_OK | constants.X_OK)
  } catch {
    return error(
      'data directory',
      `${existing} is not writable.`,
      'Choose another with --data-dir.',
    )
  }
  if (existing !== dataDir) return ok('data directory', `${dataDir} will be made.`)
  const found = statSync(dataDir)
  if (!found.isDirectory()) {
    return error('data directory', `${dataDir} is a file.`, 'Choose another with --data-dir.')
  }
  const mode = found.mode & 0o777
  if ((mode & 0o077) === 0) return ok('data directory', `${dataDir}, yours alone.`)
  const message = `${dataDir} has mode ${mode.toString(8)}: others can look into it.`
  return warn('data directory', message, `chmod 700 ${dataDir}`)
}

function describeSpace({ dataDir }: DataPaths): Finding {
  const { bavail, bsize } = statfsSync(closestExisting(dataDir))
  const freeBytes = bavail * bsize
  const message = `${formatBytes(freeBytes)} free.`
  if (freeBytes >= FREE_BYTES_COMFORTABLE) return ok('disk', message)
  const cure = 'Free space, or choose another disk with --data-dir.'
  return freeBytes < FREE_BYTES_MIN ? error('disk', message, cure) : warn('disk', message, cure)
}

/** Tries to read the lock, which fails while a `berth up` holds it; takes nothing itself. */
function describeLock({ lockFile, dataDir }: DataPaths): Finding {
  if (!existsSync(lockFile)) return ok('lock', 'Nobody uses the data directory.')
  try {
    using database = new DatabaseSync(lockFile, { readOnly: true, timeout: 0 })
    database.prepare('SELECT count(*) FROM sqlite_schema').get()
    return ok('lock', 'Nobody uses the data directory.')
  } catch (cause) {
    if (fieldOf(cause, 'errcode') === SQLITE_BUSY) {
      return ok(
        'lock',
        `A Berth is running on ${dataDir}; a second berth up there would be refused.`,
      )
    }
    return error('lock', `${lockFile} cannot be read: ${String(cause)}.`, 'Look at its rights.')
  }
}

const SQLITE_BUSY = 5

function describeSockets({ run, dataDir }: DataPaths): Finding {
  if (run.startsWith(dataDir)) return ok('sockets', `In ${run}.`)
  return ok('sockets', `In ${run}: the path of the data directory is too long for them.`)
}

function closestExisting(path: string): string {
  return existsSync(path) ? path : closestExisting(dirname(path))
}
