import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FleetSpec } from '../../domain/fleet.ts'
import type { DataPaths } from '../../platform/data-paths.ts'
import type { ProcessIdentity } from '../../platform/process-identity.ts'
import type { Phase } from './plan.ts'

/** What is kept of one container of an instance. */
export interface ContainerRecord {
  /** Absent in the record that announces a start, and of a container that is to be started anew. */
  readonly process?: ProcessIdentity
  readonly socketPath: string
  /** When its process was started. */
  readonly launchedAtMs?: number
  /** As the last good ping said; see `domain/frames-address.ts`. */
  readonly framesHeader?: string | undefined
  /** Of the model data it reads; absent without model data. */
  readonly contentHash?: string
  /** Of user code that came beside it. */
  readonly codeHash?: string
  /** How often it was started anew while its siblings went on. */
  readonly restartCount?: number
}

/** What is kept on disk of one instance, so that a later control knows it again. */
export interface InstanceRecord {
  readonly version: 2
  readonly instanceId: string
  readonly ordinal: number
  readonly spec: FleetSpec
  readonly phase: Phase
  readonly phaseSinceMs: number
  /** Why it is unhealthy or draining. */
  readonly reason?: string
  readonly startedAtMs: number
  readonly readyAtMs?: number
  /** In the order of the model. */
  readonly containers: readonly ContainerRecord[]
}

/** A record of an instance with its only container's members in it, as Berth 0.1 wrote it. */
type InstanceRecord1 = Omit<InstanceRecord, 'version' | 'containers'> &
  ContainerRecord & { readonly version: 1 }

/** What should run of one fleet, as last told. */
export interface WishRecord {
  readonly version: 1
  readonly spec: FleetSpec
  readonly desiredCount: number
}

/**
 * The runtime's records below `run/`: `instances/ID/instance.json` and `fleets/FLEET.json`.
 *
 * Written synchronously: they are a kilobyte each, control answers no invocations, and so no later state of an
 * instance can be overtaken by an earlier one. Not flushed to the medium: they describe processes, which do not survive
 * the machine either.
 */
export class Records {
  readonly #instances: string
  readonly #fleets: string

  constructor(paths: DataPaths) {
    this.#instances = paths.instances
    this.#fleets = join(paths.run, 'fleets')
  }

  instanceFolder(instanceId: string): string {
    return join(this.#instances, instanceId)
  }

  prepareFolders(): void {
    for (const folder of [this.#instances, this.#fleets]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
    }
  }

  /** Where a process that waits to become the instance begins; without a record it is nobody's. */
  prepareInstanceFolder(instanceId: string): string {
    const folder = this.instanceFolder(instanceId)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return folder
  }

  saveInstance(record: InstanceRecord): void {
    const folder = this.instanceFolder(record.instanceId)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    replaceFile(join(folder, 'instance.json'), record)
  }

  removeInstance(instanceId: string): void {
    rmSync(this.instanceFolder(instanceId), { recursive: true, force: true })
  }

  /** Ids of all instance folders, readable record or not. */
  listInstanceIds(): readonly string[] {
    return readdirSync(this.#instances)
  }

  findInstance(instanceId: string): InstanceRecord | undefined {
    const record = readJson(join(this.instanceFolder(instanceId), 'instance.json'))
    if (isVersion(record, 2)) return record as unknown as InstanceRecord
    return isVersion(record, 1) ? upgrade(record as unknown as InstanceRecord1) : undefined
  }

  saveWish(wish: WishRecord): void {
    replaceFile(this.#wishFile(wish.spec.fleetId), wish)
  }

  removeWish(fleetId: string): void {
    rmSync(this.#wishFile(fleetId), { force: true })
  }

  loadWishes(): readonly WishRecord[] {
    return readdirSync(this.#fleets)
      .filter((name) => name.endsWith('.json'))
      .map((name) => readJson(join(this.#fleets, name)))
      .filter((wish) => isVersion(wish, 1))
      .map((wish) => wish as unknown as WishRecord)
  }

  #wishFile(fleetId: string): string {
    return join(this.#fleets, `${fleetId}.json`)
  }
}

function replaceFile(path: string, value: object): void {
  const temporary = `${path}.tmp`
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 })
  renameSync(temporary, path)
}

// Files of ours, replaced as a whole: one that does not parse was damaged from outside and counts as absent.
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

function isVersion(value: unknown, version: number): boolean {
  return (
    typeof value === 'object' && value !== null && 'version' in value && value.version === version
  )
}

function upgrade(record: InstanceRecord1): InstanceRecord {
  const { process, socketPath, framesHeader, contentHash, codeHash, ...instance } = record
  const container: ContainerRecord = {
    socketPath,
    launchedAtMs: instance.phaseSinceMs,
    framesHeader,
    ...(process !== undefined && { process }),
    ...(contentHash !== undefined && { contentHash }),
    ...(codeHash !== undefined && { codeHash }),
  }
  return { ...instance, version: 2, containers: [container] }
}
