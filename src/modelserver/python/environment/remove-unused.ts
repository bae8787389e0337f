import { randomUUID } from 'node:crypto'
import { lstat, readdir, readlink, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../log.ts'
import { runIfFree } from '../../user-code/lock.ts'
import { planRemoval } from './plan.ts'
import type { KnownEnvironment, RemovalLimits } from './plan.ts'
import { isUsed, touch } from './uses.ts'

/** What removing needs. */
export interface RemoveUnusedOptions {
  readonly environmentsDirectory: string
  readonly limits: RemovalLimits
  readonly nowMs: number
  readonly log: Log
}

const KEY = /^(packed-)?[0-9a-f]{24}/

/**
 * Removes environments beyond the limits that no process uses or makes, and what was left of broken-off work. Safe to run
 * beside any number of others, and to be killed anywhere: what is half removed is found by the next run.
 *
 * @returns the keys of what was removed.
 */
export async function removeUnused(options: RemoveUnusedOptions): Promise<readonly string[]> {
  const { environmentsDirectory, limits, nowMs, log } = options
  const removed: string[] = []
  for (const { key, bytes, lastUsedMs } of planRemoval(await observe(options), limits, nowMs)) {
    const place = join(environmentsDirectory, key)
    if (!(await removeOne(place))) continue
    removed.push(key)
    const unusedDays = Math.floor((nowMs - lastUsedMs) / 86_400_000)
    log('info', 'python environment removed', { key, unusedDays, bytes })
  }
  return removed
}

async function observe(options: RemoveUnusedOptions): Promise<readonly KnownEnvironment[]> {
  const { environmentsDirectory, limits, nowMs } = options
  const names = await readdir(environmentsDirectory).catch(() => [])
  const keys = new Set(names.flatMap((name) => KEY.exec(name)?.[0] ?? []))
  const isMeasured = limits.bytesMax !== Infinity
  return Promise.all(
    [...keys].map(async (key): Promise<KnownEnvironment> => {
      const place = join(environmentsDirectory, key)
      const own = names
        .filter((name) => name.startsWith(key))
        .map((name) => join(environmentsDirectory, name))
      const sizes = isMeasured ? await Promise.all(own.map(measure)) : []
      const bytes = sizes.reduce((sum, size) => sum + size, 0)
      return { key, bytes, lastUsedMs: await findLastUse(place, nowMs) }
    }),
  )
}

// What has no time was made before there were any: its time begins now.
async function findLastUse(place: string, nowMs: number): Promise<number> {
  const found = await lstat(`${place}.used`).catch(() => undefined)
  if (found !== undefined) return found.mtimeMs
  await touch(place, new Date(nowMs))
  return nowMs
}

async function measure(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.size
  let bytes = 0
  for (const name of await readdir(path).catch(() => [])) bytes += await measure(join(path, name))
  return bytes
}

/** Removes one, unless it is used or being made. */
async function removeOne(place: string): Promise<boolean> {
  if (await isUsed(place)) return false
  let isRemoved = false
  await runIfFree(place, async () => {
    const leaving = `${place}.leaving-${randomUUID().slice(0, 8)}`
    // From here on it is not found any more; who found it before has left a mark.
    const isThere = await rename(place, leaving).then(...YES_OR_NO)
    if (await isUsed(place)) {
      if (isThere) await rename(leaving, place)
      return
    }
    await removeRest(place)
    isRemoved = true
  })
  return isRemoved
}

const YES_OR_NO = [() => true, () => false] as const

// Nobody uses any of it, and nobody can begin to: folders that were being filled, links that were leaving, the time of use.
async function removeRest(place: string): Promise<void> {
  const directory = join(place, '..')
  const prefix = `${place.slice(directory.length + 1)}.`
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix))
  for (const name of names) {
    const path = join(directory, name)
    const target = await readlink(path).catch(() => undefined)
    if (target !== undefined) await rm(target, { recursive: true, force: true })
    if (!name.startsWith(`${prefix}use-`)) await rm(path, { recursive: true, force: true })
  }
}
