import { Buffer } from 'node:buffer'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { ByteSource } from './protobuf.ts'

// One read serves the many small fields of a graph; a longer payload is read by itself.
const WINDOW_BYTES = 64 * 1024

/** A file as a {@link ByteSource}, read through a window; to be closed with `using`. */
export class FileSource implements ByteSource, Disposable {
  readonly byteLength: number
  readonly #descriptor: number
  #window: Buffer = Buffer.alloc(0)
  #windowStart = 0

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r')
    this.byteLength = fstatSync(this.#descriptor).size
  }

  read(offset: number, byteLength: number): Buffer {
    const available = Math.max(0, Math.min(byteLength, this.byteLength - offset))
    if (available > WINDOW_BYTES) return this.#readDirectly(offset, available)
    const windowEnd = this.#windowStart + this.#window.length
    if (offset < this.#windowStart || offset + available > windowEnd) {
      this.#window = this.#readDirectly(offset, Math.min(WINDOW_BYTES, this.byteLength - offset))
      this.#windowStart = offset
    }
    const start = offset - this.#windowStart
    return this.#window.subarray(start, start + available)
  }

  #readDirectly(offset: number, byteLength: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, byteLength))
    let filled = 0
    while (filled < bytes.length) {
      const count = readSync(
        this.#descriptor,
        bytes,
        filled,
        bytes.length - filled,
        offset + filled,
      )
      if (count === 0) break
      filled += count
    }
    return bytes.subarray(0, filled)
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}
