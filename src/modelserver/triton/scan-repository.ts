import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseVersionName } from '../../domain/version-policy.ts'
import type { Log } from '../log.ts'

// Folders of a model that hold something else than a version.
const OTHER_FOLDERS = ['warmup', 'initial_state', 'configs']
// A data set put there by mistake must not be walked for ever.
const ENTRIES_MAX = 20_000

/** A model's folder in each of the repositories that have one of that name. */
export type ModelFolders = ReadonlyMap<string, readonly string[]>

/** Lists the models of the repositories by name. */
export async function listModels(repositories: readonly string[]): Promise<ModelFolders> {
  const folders = new Map<string, string[]>()
  for (const repository of repositories) {
    for (const entry of await readdir(repository, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || !(await isFolder(repository, entry))) continue
      const known = folders.get(entry.name) ?? []
      folders.set(entry.name, [...known, join(repository, entry.name)])
    }
  }
  return new Map([...folders].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Lists the versions in a model's folder, ascending. */
export async function listVersions(modelDirectory: string, log: Log): Promise<readonly number[]> {
  const versions: number[] = []
  for (const entry of await readdir(modelDirectory, { withFileTypes: true })) {
    if (!(await isFolder(modelDirectory, entry)) || OTHER_FOLDERS.includes(entry.name)) continue
    const version = parseVersionName(entry.name)
    if (version !== undefined) versions.push(version)
    else log('warn', 'version directory ignored', { directory: join(modelDirectory, entry.name) })
  }
  return versions.toSorted((a, b) => a - b)
}

/** Equal as long as no file below the folder was added, removed, or written. */
export async function fingerprint(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true })
  const lines: string[] = []
  for (const name of entries.toSorted().slice(0, ENTRIES_MAX)) {
    const found = await stat(join(directory, name)).catch(() => undefined)
    if (found === undefined) continue
    lines.push(found.isDirectory() ? `${name}/` : `${name} ${found.size} ${found.mtimeMs}`)
  }
  return lines.join('\n')
}

async function isFolder(parent: string, entry: Dirent): Promise<boolean> {
  if (entry.isDirectory()) return true
  if (!entry.isSymbolicLink()) return false
  const target = await stat(join(parent, entry.name)).catch(() => undefined)
  return target?.isDirectory() === true
}
