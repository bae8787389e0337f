/** A model that counts against the memory of an instance. */
interface Entry {
  bytes: number
  /** Of its files; memory is guessed from it until it was measured. */
  readonly fileBytes: number
  isMeasured: boolean
}

// Before anything was measured: a session keeps its weights and some tens of kilobytes beside them.
const BYTES_PER_FILE_BYTE_START = 1.5
const FIXED_BYTES = 64 * 1024
const RATIO_WEIGHT = 0.2
const RATIO_MIN = 0.05
const RATIO_MAX = 20

/**
 * What an instance's memory is taken by. Measurements are of the whole instance; what it grew by since the last one is
 * divided among the models that came in between, by the size of their files.
 *
 * Guesses only bridge the time to the next measurement, so an error in them does not add up.
 */
export class MemoryLedger {
  readonly #entryByModel = new Map<string, Entry>()
  /** Program and whatever no model accounts for. */
  #measuredBytes = 0
  /** Guessed for what came, less what went, since the last measurement. */
  #pendingBytes = 0
  #ratio = BYTES_PER_FILE_BYTE_START

  /** What the instance is believed to take now. */
  get bytes(): number {
    return Math.max(0, this.#measuredBytes + this.#pendingBytes)
  }

  /** What a model of such files is expected to take. */
  predictBytes(fileBytes: number): number {
    return FIXED_BYTES + this.#ratio * fileBytes
  }

  /** Whether another model of such files is expected to fit into so many bytes, program and all. */
  hasRoomFor(fileBytes: number, bytesMax: number): boolean {
    return this.bytes + this.predictBytes(fileBytes) <= bytesMax
  }

  /** What the model is believed to take; 0 for one that is not there. */
  bytesOf(model: string): number {
    return this.#entryByModel.get(model)?.bytes ?? 0
  }

  add(model: string, fileBytes: number): void {
    const bytes = this.predictBytes(fileBytes)
    this.#entryByModel.set(model, { bytes, fileBytes, isMeasured: false })
    this.#pendingBytes += bytes
  }

  remove(model: string): void {
    const entry = this.#entryByModel.get(model)
    if (entry === undefined) return
    this.#entryByModel.delete(model)
    this.#pendingBytes -= entry.bytes
  }

  /** The whole instance was measured. @returns the models that came since the last time. */
  recordMeasurement(bytes: number): readonly string[] {
    const arrivals = [...this.#entryByModel].filter(([, { isMeasured }]) => !isMeasured)
    const arrived = arrivals.map(([, entry]) => entry)
    const isFirst = this.#measuredBytes === 0
    const grownBytes = bytes - this.#measuredBytes
    const fileBytes = arrived.reduce((sum, entry) => sum + entry.fileBytes + 1, 0)
    // The first one also holds the program; one below what was there says that memory was given back meanwhile.
    if (!isFirst && arrived.length > 0 && grownBytes > 0) {
      for (const entry of arrived) {
        entry.bytes = Math.max(FIXED_BYTES, (grownBytes * (entry.fileBytes + 1)) / fileBytes)
      }
      this.#learnRatio(Math.max(0, grownBytes - FIXED_BYTES * arrived.length) / fileBytes)
    }
    for (const entry of arrived) entry.isMeasured = true
    this.#measuredBytes = bytes
    this.#pendingBytes = 0
    return arrivals.map(([model]) => model)
  }

  #learnRatio(ratio: number): void {
    const bounded = Math.min(RATIO_MAX, Math.max(RATIO_MIN, ratio))
    this.#ratio += RATIO_WEIGHT * (bounded - this.#ratio)
  }
}
