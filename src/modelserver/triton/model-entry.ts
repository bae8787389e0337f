import type { ServedVersion } from './served-version.ts'

/** Where a version is in its life. */
export type VersionState = 'LOADING' | 'READY' | 'UNLOADING' | 'UNAVAILABLE'

/** A version that the repository knows. */
export interface VersionEntry {
  state: VersionState
  /** Why it is not ready; empty when it is. */
  reason: string
  served: ServedVersion | undefined
}

/** A model that was loaded, or was to be, at least once. */
export interface ModelEntry {
  readonly name: string
  readonly versions: Map<number, VersionEntry>
  /** What its files and overrides were when it was loaded; empty when it is not. */
  loadedForm: string
  /** Holds the files that an override brought. */
  overrideDirectory: string | undefined
  /** Nobody asked for it but ensembles. */
  isDependency: boolean
  /** Composing models that it needs. */
  dependencies: readonly string[]
  /** Loads and unloads of a model follow each other. */
  turn: Promise<void>
}

/** One row of the repository's index. */
export interface IndexRow {
  readonly name: string
  readonly version?: string
  readonly state?: VersionState
  readonly reason?: string
}

/** Versions that serve, ascending. */
export function readyVersions({ versions }: ModelEntry): readonly ServedVersion[] {
  return [...versions]
    .filter(([, { state }]) => state === 'READY')
    .toSorted(([a], [b]) => a - b)
    .flatMap(([, { served }]) => served ?? [])
}

/** The largest version that serves: asked for by every request. */
export function latestReady({ versions }: ModelEntry): ServedVersion | undefined {
  let latest: ServedVersion | undefined
  for (const { state, served } of versions.values()) {
    if (state !== 'READY' || served === undefined) continue
    if (latest === undefined || served.version > latest.version) latest = served
  }
  return latest
}

/** Rows of a model, its versions ascending; keys of which there is nothing to say are left out. */
export function indexRows({ name, versions }: ModelEntry): readonly IndexRow[] {
  if (versions.size === 0) return [{ name }]
  return [...versions]
    .toSorted(([a], [b]) => a - b)
    .map(([version, { state, reason }]) => {
      return { name, version: String(version), state, ...(reason !== '' && { reason }) }
    })
}
