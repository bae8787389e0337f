import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { findProcess, isRunning } from '../../platform/process-identity.ts'

const POLL_MS = 200

/**
 * Runs work while no other process of this machine runs it under the same lock file. The lock of a process that died is
 * taken over.
 *
 * @param isMade asked while another holds the lock: whether its work is all that was needed.
 */
export async function runLocked(
  lockPath: string,
  { isMade, work }: { readonly isMade: () => Promise<boolean>; readonly work: () => Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  while (!(await isMade())) {
    if (await takeLock(lockPath)) {
      try {
        if (!(await isMade())) await work()
        return
      } finally {
        await rm(lockPath, { force: true })
      }
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/**
 * Runs work under a lock file, unless another process holds it. @returns whether it ran.
 */
export async function runIfFree(lockPath: string, work: () => Promise<void>): Promise<boolean> {
  // The first try may do no more than clear the lock of a process that died.
  if (!(await takeLock(lockPath)) && !(await takeLock(lockPath))) return false
  try {
    await work()
    return true
  } finally {
    await rm(lockPath, { force: true })
  }
}

async function takeLock(lockPath: string): Promise<boolean> {
  // Others may try from this very process.
  const own = `${lockPath}.${randomUUID()}`
  await writeFile(own, JSON.stringify(findProcess(process.pid)))
  try {
    // With its content from the first moment.
    await link(own, lockPath)
    return true
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    if (!(await isHeld(lockPath))) await rm(lockPath, { force: true })
    return false
  } finally {
    await rm(own, { force: true })
  }
}

async function isHeld(lockPath: string): Promise<boolean> {
  try {
    const owner: unknown = JSON.parse(await readFile(lockPath, 'utf8'))
    if (typeof owner !== 'object' || owner === null) return false
    if (!('pid' in owner) || !('startToken' in owner)) return false
    return isRunning({ pid: Number(owner.pid), startToken: String(owner.startToken) })
  } catch {
    // Gone meanwhile: the next try sees.
    return true
  }
}
