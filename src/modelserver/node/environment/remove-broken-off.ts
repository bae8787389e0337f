import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../log.ts'
import { runIfFree } from '../../user-code/lock.ts'

const HALF_MADE = /^(.+)\.[0-9a-f]{8}$/

/**
 * Removes the half-made folders of installations whose process was killed: those of places that nobody works on.
 *
 * @param ownKey the place that the caller has locked, which therefore is its to tidy.
 */
export async function removeBrokenOff(
  packagesDirectory: string,
  ownKey: string,
  log: Log,
): Promise<void> {
  const names = await readdir(packagesDirectory)
  const halfMade = names.filter((name) => HALF_MADE.test(name))
  const remove = async (name: string): Promise<void> => {
    try {
      await rm(join(packagesDirectory, name), { recursive: true, force: true })
      log('info', 'broken-off installation removed', { folder: name })
    } catch (error) {
      // npm outlives its parent for a while, and may still write there: the next installation finds it again.
      log('warn', 'broken-off installation not removed', { folder: name, reason: String(error) })
    }
  }
  for (const [key, folders] of Map.groupBy(halfMade, (name) => HALF_MADE.exec(name)?.[1] ?? '')) {
    const removeAll = async (): Promise<void> => void (await Promise.all(folders.map(remove)))
    if (key === ownKey) await removeAll()
    else await runIfFree(join(packagesDirectory, key), removeAll)
  }
}
