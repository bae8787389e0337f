import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { acquireLock } from '../../platform/file-lock.ts'
import type { FileLock } from '../../platform/file-lock.ts'

const POLL_MS = 200

/**
 * Runs work on a place while nobody else, of this process or another, works on it.
 *
 * The lock is the system's and ends with the process that holds it: there are no locks of the dead to be taken over. Its file
 * stays, empty, in `.locks` beside the place.
 *
 * @param isMade asked while another holds the lock: whether its work is all that was needed.
 */
export async function runLocked(
  place: string,
  { isMade, work }: { readonly isMade: () => Promise<boolean>; readonly work: () => Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  while (!(await isMade())) {
    using lock = await takeLock(place)
    if (lock !== undefined) {
      if (!(await isMade())) await work()
      return
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/**
 * Runs work on a place, unless somebody works on it already. @returns whether it ran.
 */
export async function runIfFree(place: string, work: () => Promise<void>): Promise<boolean> {
  using lock = await takeLock(place)
  if (lock === undefined) return false
  await work()
  return true
}

async function takeLock(place: string): Promise<FileLock | undefined> {
  const folder = join(dirname(place), '.locks')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return acquireLock(join(folder, basename(place)))
}
