import { writeSync } from 'node:fs'
import { inspect } from 'node:util'

const RETRY_MS = 1

/**
 * Makes what user code prints go straight to the process's own output. On Node's way it would pass through the main thread,
 * which serves, and wait in memory without a bound while a thread computes.
 */
export function printDirectly(): void {
  process.stdout.write = printer(1)
  process.stderr.write = printer(2)
}

/** Prints what user code threw, as Node itself would. */
export function printError(error: unknown): void {
  process.stderr.write(`${inspect(error)}\n`)
}

function printer(descriptor: number): typeof process.stdout.write {
  return (
    chunk: string | Uint8Array,
    encoding?: BufferEncoding | ((error?: Error | null) => void),
    onDone?: (error?: Error | null) => void,
  ): boolean => {
    const isEncoded = typeof encoding === 'string'
    print(
      descriptor,
      typeof chunk === 'string' ? Buffer.from(chunk, isEncoded ? encoding : 'utf8') : chunk,
    )
    const done = isEncoded ? onDone : (encoding ?? onDone)
    if (typeof done === 'function') queueMicrotask(done)
    return true
  }
}

const clock = new Int32Array(new SharedArrayBuffer(4))

function print(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      // Whoever reads may be gone; that must not end what computes.
      if (code !== 'EAGAIN') return
      Atomics.wait(clock, 0, 0, RETRY_MS)
    }
  }
}
