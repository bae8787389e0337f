import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'

import type { Log } from '../../platform/log.ts'
import type { Clock } from '../../ports/clock.ts'
import { encodeRouteSnapshot, parseRouteSnapshot } from '../../wire/link.ts'
import type { RouteSnapshot } from '../../wire/link.ts'

// Long enough to write a burst of changes once, short enough that a gateway which starts right after control has
// died misses next to nothing.
const WRITE_DELAY_MS = 50
const RETRY_DELAY_MS = 1_000

/** Reads the snapshot of an earlier control process; undefined when there is none that is whole. */
export function loadRouteSnapshot(file: string): RouteSnapshot | undefined {
  try {
    return parseRouteSnapshot(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

interface SnapshotFileOptions {
  readonly file: string
  readonly clock: Clock
  readonly log: Log
  /** Called when it is time to write. */
  readonly snapshot: () => RouteSnapshot
}

/**
 * Keeps the route table on disk: written at most every {@link WRITE_DELAY_MS}, by rename, so that a reader sees the old
 * or the new table and never half of one. Not synced: after a power loss no instance runs that it could name.
 */
export class SnapshotFile {
  readonly #options: SnapshotFileOptions
  readonly #closing = new AbortController()
  #isDirty = false
  #writing: Promise<void> | undefined

  constructor(options: SnapshotFileOptions) {
    this.#options = options
  }

  /** Says that the table has changed. */
  schedule(): void {
    this.#isDirty = true
    this.#writing ??= this.#writeWhileDirty().finally(() => {
      this.#writing = undefined
    })
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#writing
    if (this.#isDirty) await this.#writeOnce()
  }

  async #writeWhileDirty(): Promise<void> {
    let delayMs = WRITE_DELAY_MS
    while (this.#isDirty && !this.#closing.signal.aborted) {
      await this.#options.clock.sleep(delayMs, this.#closing.signal).catch(() => undefined)
      delayMs = (await this.#writeOnce()) ? WRITE_DELAY_MS : RETRY_DELAY_MS
    }
  }

  async #writeOnce(): Promise<boolean> {
    const { file, log, snapshot } = this.#options
    this.#isDirty = false
    // One name: what a killed control left behind is overwritten, and nobody else writes here.
    const temporary = `${file}.tmp`
    try {
      await writeFile(temporary, encodeRouteSnapshot(snapshot()), { mode: 0o600 })
      await rename(temporary, file)
      return true
    } catch (error) {
      this.#isDirty = true
      log.warn({ err: error, file }, 'route snapshot not written')
      return false
    }
  }
}
