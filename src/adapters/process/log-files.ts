import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  truncateSync,
} from 'node:fs'
import { open, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FleetSpec } from '../../domain/fleet.ts'

/** One current or rotated log file. */
export interface LogFile {
  readonly path: string
  readonly endpointName: string
  readonly variantName: string
  readonly instanceId: string
  /** Absent where the instance has only one container. */
  readonly containerHostname?: string
  /** 0 for the current file, higher for older ones. */
  readonly age: number
  readonly bytes: number
  readonly modifiedAtMs: number
}

/** Whose output a log file has. */
export interface LogOwner {
  readonly spec: FleetSpec
  readonly instanceId: string
  /** Of the container, where the instance has several. */
  readonly hostname: string | undefined
}

/** Bounds of the log files. */
export interface LogBounds {
  readonly logFileBytesMax: number
  readonly logFileCountMax: number
  readonly logsBytesMax: number
  readonly goneLogCountMax: number
  readonly goneLogAgeMsMax: number
}

// No endpoint has such a name.
const POOL_FOLDER = '.pool'
const FILE_NAME = /^([0-9a-f]{20})(?:\.([0-9A-Za-z-]+))?\.log(?:\.(\d+))?$/
const TAIL_BYTES_MAX = 256 * 1024
const LAST_TEXT_BYTES_MAX = 8 * 1024

/**
 * Log files of instances: `logs/ENDPOINT/VARIANT/INSTANCE.log`, with several containers `INSTANCE.HOSTNAME.log`; rotated
 * ones with `.1`, `.2` behind.
 *
 * Containers write to the open file themselves, so logging goes on while control is dead. That is why a full file is
 * copied and cut instead of renamed; lines written between the two are lost.
 */
export class LogFiles {
  readonly #folder: string
  readonly #bounds: LogBounds

  constructor(folder: string, bounds: LogBounds) {
    this.#folder = folder
    this.#bounds = bounds
  }

  /** Opens a container's log for appending; the caller closes the descriptor. */
  open(owner: LogOwner): number {
    const path = this.#pathOf(owner)
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return openSync(path, 'a', 0o600)
  }

  /** Opens a log for a process that waits to become the instance; the caller closes the descriptor. */
  openPooled(instanceId: string): { readonly fd: number; readonly path: string } {
    const folder = join(this.#folder, POOL_FOLDER)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = join(folder, `${instanceId}.log`)
    return { fd: openSync(path, 'a', 0o600), path }
  }

  /**
   * Makes a waiting process's log that of the instance which it becomes, as its first lines. The file is moved and stays
   * open: a process cannot point its output, that of native code included, to another one later.
   */
  adoptPooled(path: string, owner: LogOwner): void {
    const ownPath = this.#pathOf(owner)
    mkdirSync(dirname(ownPath), { recursive: true, mode: 0o700 })
    renameSync(path, ownPath)
  }

  /** The last lines one container logged. */
  lastLines(owner: LogOwner, count: number): readonly string[] {
    try {
      const lines = readLastText(this.#pathOf(owner)).split('\n')
      return lines.filter((line) => line.trim() !== '').slice(-count)
    } catch {
      // No log is no reason to lose the failure it was read for.
      return []
    }
  }

  /** All log files, of one endpoint or of every one. */
  async list(endpointName?: string): Promise<readonly LogFile[]> {
    const endpoints = endpointName === undefined ? await names(this.#folder) : [endpointName]
    const files: LogFile[] = []
    for (const endpoint of endpoints) {
      for (const variantName of await names(join(this.#folder, endpoint))) {
        files.push(...(await this.#listVariant(endpoint, variantName)))
      }
    }
    return files
  }

  /** Rotates full files, and removes those of instances that are gone when they are too old, many or large. */
  async tidy(isLive: (instanceId: string) => boolean, nowMs: number): Promise<void> {
    const files = await this.list()
    for (const file of files) {
      if (file.age === 0 && file.bytes > this.#bounds.logFileBytesMax) this.#rotate(file.path)
    }
    const goneNewestFirst = files
      .filter(({ instanceId }) => !isLive(instanceId))
      .toSorted((a, b) => b.modifiedAtMs - a.modifiedAtMs)
    const liveBytes = files.reduce(
      (sum, { instanceId, bytes }) => (isLive(instanceId) ? sum + bytes : sum),
      0,
    )
    await this.#removeExcess(goneNewestFirst, liveBytes, nowMs)
  }

  async #removeExcess(
    goneNewestFirst: readonly LogFile[],
    liveBytes: number,
    nowMs: number,
  ): Promise<void> {
    const { logsBytesMax, goneLogCountMax, goneLogAgeMsMax } = this.#bounds
    const countByFolder = new Map<string, number>()
    let totalBytes = liveBytes
    for (const { path, bytes, modifiedAtMs } of goneNewestFirst) {
      const folder = dirname(path)
      const count = (countByFolder.get(folder) ?? 0) + 1
      const isKept =
        count <= goneLogCountMax &&
        nowMs - modifiedAtMs <= goneLogAgeMsMax &&
        totalBytes + bytes <= logsBytesMax
      if (isKept) {
        countByFolder.set(folder, count)
        totalBytes += bytes
      } else {
        await rm(path, { force: true })
        await removeIfEmpty(folder)
        await removeIfEmpty(dirname(folder))
      }
    }
  }

  #pathOf({ spec, instanceId, hostname }: LogOwner): string {
    const name = hostname === undefined ? instanceId : `${instanceId}.${hostname}`
    return join(this.#folder, spec.endpointName, spec.variantName, `${name}.log`)
  }

  // Synchronous, to keep the moment between copy and cut short.
  #rotate(path: string): void {
    for (let age = this.#bounds.logFileCountMax - 1; age >= 1; age -= 1) {
      try {
        renameSync(`${path}.${age}`, `${path}.${age + 1}`)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    copyFileSync(path, `${path}.1`)
    truncateSync(path, 0)
  }

  async #listVariant(endpointName: string, variantName: string): Promise<readonly LogFile[]> {
    const folder = join(this.#folder, endpointName, variantName)
    const files: LogFile[] = []
    for (const name of await names(folder)) {
      const [, instanceId, containerHostname, age = '0'] = FILE_NAME.exec(name) ?? []
      if (instanceId === undefined) continue
      const path = join(folder, name)
      const stats = await stat(path).catch(() => undefined)
      if (stats === undefined) continue
      const { size: bytes, mtimeMs: modifiedAtMs } = stats
      files.push({
        path,
        endpointName,
        variantName,
        instanceId,
        ...(containerHostname !== undefined && { containerHostname }),
        age: Number(age),
        bytes,
        modifiedAtMs,
      })
    }
    return files
  }
}

/** The last whole lines of a file, and where they end. */
export async function readTail(
  path: string,
): Promise<{ readonly lines: readonly string[]; readonly endOffset: number }> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const from = Math.max(0, size - TAIL_BYTES_MAX)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
    // The first line may begin before what was read.
    if (from > 0) lines.shift()
    if (lines.at(-1) === '') lines.pop()
    return { lines, endOffset: from + bytesRead }
  } finally {
    await file.close()
  }
}

// Synchronous: the failure it explains must be known before anything is planned for the fleet.
function readLastText(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const { size } = fstatSync(fd)
    const bytes = Math.min(size, LAST_TEXT_BYTES_MAX)
    const buffer = Buffer.alloc(bytes)
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, bytes, size - bytes))
  } finally {
    closeSync(fd)
  }
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined)
}

async function names(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => [])
}
