import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import type { Log } from '../../log.ts'

/** Traces that share a file. */
export interface TraceGroup {
  readonly key: string
  /** Traces per file; 0 for all of them in one, which groups share. */
  readonly logFrequency: number
}

/** Text that may wait for the disk. A trace with tensors has some kilobytes, so these are thousands. */
export const WAITING_CHARACTERS_MAX = 16 * 1024 * 1024

interface TraceFile {
  readonly handle: FileHandle
  /** Where the closing bracket is; 0 before the first record. */
  endAt: number
  traceCount: number
}

/**
 * Writes traces to files, each a JSON array after every write.
 *
 * With a log frequency of N files are named `FILE.0`, `FILE.1` … and have N traces. What cannot be written is lost, and logged.
 *
 * When traces come faster than the disk takes them, the newest are dropped beyond {@link WAITING_CHARACTERS_MAX}: to make requests
 * wait would change what is being measured. A line says so when dropping begins, and another on closing how many they were.
 */
export class TraceFiles {
  readonly #path: string
  readonly #log: Log
  readonly #open = new Map<string, TraceFile>()
  #nextIndex = 0
  #turn: Promise<void> = Promise.resolve()
  #waitingCharacters = 0
  #droppedCount = 0
  #isDropping = false

  constructor(path: string, log: Log) {
    this.#path = path
    this.#log = log
  }

  /** @param records of one trace, as JSON with commas between them. */
  append(group: TraceGroup, records: string): void {
    if (records === '') return
    if (this.#waitingCharacters + records.length > WAITING_CHARACTERS_MAX) return this.#drop()
    this.#waitingCharacters += records.length
    this.#turn = this.#turn
      .then(() => this.#write(group, records))
      .catch((error: unknown) => {
        this.#log('error', 'trace not written', { path: this.#path, reason: String(error) })
      })
      .finally(() => {
        this.#waitingCharacters -= records.length
        if (this.#waitingCharacters < WAITING_CHARACTERS_MAX / 2) this.#isDropping = false
      })
  }

  #drop(): void {
    this.#droppedCount += 1
    if (this.#isDropping) return
    this.#isDropping = true
    const [path, waitingCharacters] = [this.#path, this.#waitingCharacters]
    this.#log('warn', 'traces are dropped: the disk does not keep up', { path, waitingCharacters })
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await this.#turn
    for (const { handle } of this.#open.values()) await handle.close()
    this.#open.clear()
    const [path, droppedCount] = [this.#path, this.#droppedCount]
    if (droppedCount > 0) this.#log('warn', 'traces were dropped', { path, droppedCount })
  }

  async #write({ key, logFrequency }: TraceGroup, records: string): Promise<void> {
    const isShared = logFrequency === 0
    const name = isShared ? '' : `${key} every ${logFrequency}`
    const file = this.#open.get(name) ?? (await this.#create(isShared))
    this.#open.set(name, file)
    const bytes = Buffer.from(`${file.endAt === 0 ? '[' : ','}${records}]`)
    await file.handle.write(bytes, 0, bytes.length, file.endAt)
    file.endAt += bytes.length - 1
    file.traceCount += 1
    if (isShared || file.traceCount < logFrequency) return
    this.#open.delete(name)
    await file.handle.close()
  }

  async #create(isShared: boolean): Promise<TraceFile> {
    const path = isShared ? this.#path : `${this.#path}.${this.#nextIndex++}`
    return { handle: await open(path, 'w'), endAt: 0, traceCount: 0 }
  }
}
