import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { ByteRange, ObjectBody, ObjectMetadata } from '../../ports/object-store.ts'

/*
 * One object is one file, so that no crash can part the bytes from what is known about them:
 *
 *   ┌───────────────┬──────────────────────┬──────────────────────────────────────┐
 *   │ bytes, as sent│ metadata, JSON       │ "\nberth1 " 8 hex length 8 hex crc32 │
 *   └───────────────┴──────────────────────┴──────────────────────────────────────┘
 *                                          └ 24 bytes
 *
 * The metadata comes last because size and ETag are known last.
 */
const MAGIC = '\nberth1 '
const FOOTER_BYTES = MAGIC.length + 16
// User metadata is at most 2 KiB, tags 4 KiB; one read of this size nearly always holds everything.
const TAIL_READ_BYTES = 2048
const METADATA_BYTES_MAX = 64 * 1024
const READ_BYTES = 256 * 1024

/** What is kept about an object beside its bytes. */
export interface FileMetadata extends ObjectMetadata {
  /** The upload that made the object, so that a repeated completion is recognised. */
  readonly uploadId?: string | undefined
}

/** Bytes that were written, and what they hash to. */
export interface WrittenBytes {
  readonly sizeBytes: number
  readonly md5: string
}

/**
 * Writes a body and then its metadata to a new file and waits until the disk has them.
 *
 * @param path must not exist. A failure leaves a partial file: the caller removes it.
 */
export async function writeObjectFile(
  path: string,
  body: ObjectBody,
  describe: (written: WrittenBytes) => FileMetadata,
  signal: AbortSignal,
): Promise<FileMetadata> {
  const file = await open(path, 'wx', 0o600)
  try {
    const md5 = createHash('md5')
    let sizeBytes = 0
    for await (const chunk of untilAborted(body, signal)) {
      md5.update(chunk)
      await writeAll(file, chunk)
      sizeBytes += chunk.byteLength
    }
    signal.throwIfAborted()
    const metadata = describe({ sizeBytes, md5: md5.digest('hex') })
    await writeAll(file, encodeTail(metadata))
    await file.sync()
    return metadata
  } finally {
    await file.close()
  }
}

/** An object's file, opened: stays readable when another version takes its place. */
export interface ObjectFile {
  readonly metadata: FileMetadata
  readonly file: FileHandle
}

/** Opens an object's file. @throws Error the operating system's, or a sentence when the file is damaged. */
export async function openObjectFile(path: string): Promise<ObjectFile> {
  const file = await open(path, 'r')
  try {
    return { file, metadata: await readTail(file, path) }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Streams bytes of an open object. Memory: one chunk. */
export async function* readBytes(
  { file, metadata }: ObjectFile,
  range: ByteRange | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let position = range?.firstByte ?? 0
  const end = range === undefined ? metadata.sizeBytes : range.lastByte + 1
  while (position < end) {
    signal.throwIfAborted()
    // A fresh buffer each time: the consumer may keep the last one while we read on.
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) throw new Error('An object file became shorter while it was read.')
    position += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

/** A body whose wait for the next chunk ends with the signal, even when the sender stalls. */
async function* untilAborted(body: ObjectBody, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  let stopWaiting: ((reason: unknown) => void) | undefined
  // One listener for the whole body: racing a shared promise would keep something for every chunk.
  const onAbort = (): void => stopWaiting?.(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let isFinished = false
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        stopWaiting = reject
        iterator.next().then(resolve, reject)
      })
      isFinished = next.done === true
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a generator that waits for its sender answers `return` only after the sender did.
    if (!isFinished) iterator.return?.().catch(() => undefined)
  }
}

// One write may take less than it was given, as the disk becomes full; the next one then says so.
async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  let offset = 0
  while (offset < chunk.byteLength) {
    const { bytesWritten } = await file.write(chunk, offset, chunk.byteLength - offset)
    offset += bytesWritten
  }
}

function encodeTail(metadata: FileMetadata): Buffer {
  const json = Buffer.from(JSON.stringify(metadata))
  return Buffer.concat([json, Buffer.from(MAGIC + hex8(json.length) + hex8(crc32(json)))])
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0')
}

async function readTail(file: FileHandle, path: string): Promise<FileMetadata> {
  const { size } = await file.stat()
  let tail = await readAt(file, Math.max(0, size - TAIL_READ_BYTES), size)
  const footer = tail.subarray(-FOOTER_BYTES).toString('latin1')
  const jsonBytes = Number.parseInt(footer.slice(MAGIC.length, MAGIC.length + 8), 16)
  if (!footer.startsWith(MAGIC) || !(jsonBytes <= METADATA_BYTES_MAX)) throw damaged(path)
  const jsonStart = size - FOOTER_BYTES - jsonBytes
  if (jsonStart < 0) throw damaged(path)
  if (jsonBytes + FOOTER_BYTES > tail.length) tail = await readAt(file, jsonStart, size)
  const json = tail.subarray(tail.length - FOOTER_BYTES - jsonBytes, tail.length - FOOTER_BYTES)
  if (hex8(crc32(json)) !== footer.slice(MAGIC.length + 8)) throw damaged(path)
  // The checksum says that we wrote it.
  const metadata = JSON.parse(json.toString()) as FileMetadata
  if (metadata.sizeBytes !== jsonStart) throw damaged(path)
  return metadata
}

async function readAt(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - start)
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
  return buffer.subarray(0, bytesRead)
}

function damaged(path: string): Error {
  return new Error(`${path} is not an object file of Berth, or it is damaged.`)
}
