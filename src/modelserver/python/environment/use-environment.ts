import { randomUUID } from 'node:crypto'
import { access, realpath, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { runLocked } from '../../user-code/lock.ts'
import { UseMark } from './uses.ts'

/**
 * Finds the environment that belongs in a place, or makes it, and keeps it from being removed as long as this process runs.
 *
 * @param fill makes it in a folder that it is given, which is its own and stays its path.
 * @returns the folder that it is in.
 */
export async function useEnvironment(
  place: string,
  fill: (folder: string) => Promise<void>,
  signal: AbortSignal,
): Promise<string> {
  const mark = new UseMark(place)
  // Before it is looked at: who removes it makes it unfindable first, and looks for marks then.
  await mark.set()
  try {
    const folder = await findOrMake(place, fill, signal)
    await mark.keep()
    return folder
  } finally {
    await mark.giveUp()
  }
}

async function findOrMake(
  place: string,
  fill: (folder: string) => Promise<void>,
  signal: AbortSignal,
): Promise<string> {
  const isMade = (): Promise<boolean> => access(join(place, 'bin', 'python')).then(...YES_OR_NO)
  for (;;) {
    await runLocked(place, { isMade, work: () => publish(place, fill) }, signal)
    const folder = await realpath(place).catch(ignoreAbsence)
    if (folder !== undefined) return folder
  }
}

const YES_OR_NO = [() => true, () => false] as const

/**
 * Makes an environment in a folder of its own, and publishes it by renaming a link to it into place: it knows its own path
 * and cannot be moved, and nobody must see a half-made one.
 */
async function publish(place: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const folder = `${place}.${randomUUID().slice(0, 8)}`
  try {
    await fill(folder)
    await symlink(folder, `${folder}.link`)
    await rename(`${folder}.link`, place)
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

function ignoreAbsence(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
