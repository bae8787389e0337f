interface Entry<T> {
  readonly value: T
  readonly byteCount: number
}

/** Values by key, as many as fit into so many bytes: those that were not asked for longest go first. */
export class ByteLru<T> {
  readonly #bytesMax: number
  // A Map keeps the order of insertion, so its first key is the one that was used longest ago.
  readonly #entries = new Map<string, Entry<T>>()
  #byteCount = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of all values. */
  get byteCount(): number {
    return this.#byteCount
  }

  /** The value of a key, which is then the last to go. */
  use(key: string): T | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** Keeps a value in the place of what its key had. @returns false when it is larger than all together may be. */
  insert(key: string, value: T, byteCount: number): boolean {
    if (byteCount > this.#bytesMax) return false
    this.#remove(key)
    for (const [oldest] of this.#entries) {
      if (this.#byteCount + byteCount <= this.#bytesMax) break
      this.#remove(oldest)
    }
    this.#entries.set(key, { value, byteCount })
    this.#byteCount += byteCount
    return true
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#byteCount -= entry.byteCount
  }
}
