import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { encodeField, textOf, walkFields } from '../onnx/protobuf.ts'
import type { ByteSource, Field } from '../onnx/protobuf.ts'
import { MODEL_NAME, WEIGHTS_NAME } from './artefact.ts'

// Pages are what is mapped and shared. ONNX Runtime 1.30 writes rearranged weights right behind the plain ones; its
// kernels then read them with instructions that need alignment, and the process ends with SIGSEGV.
const PAGE_BYTES = 4096
// Of x86-64 and arm64. A file system that keeps large pages (ext4 since Linux 6.16, XFS) lays what is written in whole
// aligned ones into such, and a mapping of it then takes one fault for 2 MiB instead of one for 64 KiB.
const LARGE_PAGE_BYTES = 2 * 1024 * 1024
const COPY_BYTES = 2 * LARGE_PAGE_BYTES

// Source: onnx.proto, field numbers.
const MODEL_GRAPH = 7
const GRAPH = { node: 1, initializer: 5 } as const
const NODE_ATTRIBUTE = 5
const ATTRIBUTE = { graph: 6, graphs: 11 } as const
const TENSOR_EXTERNAL_DATA = 13
const ENTRY = { key: 1, value: 2 } as const

/** A model as ONNX Runtime saved it, and where it is to be placed. */
export interface WeightPlacement {
  readonly savedFolder: string
  readonly folder: string
  /** Whether rearranged weights are placed too. */
  readonly keepsPrepacked: boolean
}

/** Sums over the weights that were placed. */
export interface PlacedWeights {
  readonly plainBytes: number
  readonly prepackedBytes: number
  /** Of the whole file of weights. */
  readonly sha256: string
}

/** Rewrites a saved model so that every tensor in its file of weights begins on a page. The weights are not synced. */
export function placeWeights({
  savedFolder,
  folder,
  keepsPrepacked,
}: WeightPlacement): PlacedWeights {
  using mover = new WeightMover(join(savedFolder, WEIGHTS_NAME), join(folder, WEIGHTS_NAME))
  const saved = sourceOf(readFileSync(join(savedFolder, MODEL_NAME)))
  const model = rewrite(saved, whole(saved), (field) =>
    field.number === MODEL_GRAPH
      ? encodeField(MODEL_GRAPH, placeGraph(saved, field, mover, keepsPrepacked))
      : undefined,
  )
  writeFileSync(join(folder, MODEL_NAME), model, { flush: true })
  const { plainBytes, prepackedBytes } = mover
  return { plainBytes, prepackedBytes, sha256: mover.sha256() }
}

function placeGraph(source: ByteSource, graph: Field, mover: WeightMover, keeps: boolean): Buffer {
  const place = (field: Field): Buffer => placeGraph(source, field, mover, keeps)
  return rewrite(source, graph.payload, (field) => {
    if (field.number === GRAPH.initializer) {
      return encodeField(GRAPH.initializer, placeTensor(source, field, mover, keeps))
    }
    return field.number === GRAPH.node
      ? encodeField(GRAPH.node, placeNode(source, field, place))
      : undefined
  })
}

// If, Loop and Scan hold graphs with weights of their own.
function placeNode(source: ByteSource, node: Field, place: (graph: Field) => Buffer): Buffer {
  return rewrite(source, node.payload, (attribute) => {
    if (attribute.number !== NODE_ATTRIBUTE) return undefined
    const rewritten = rewrite(source, attribute.payload, (field) =>
      field.number === ATTRIBUTE.graph || field.number === ATTRIBUTE.graphs
        ? encodeField(field.number, place(field))
        : undefined,
    )
    return encodeField(NODE_ATTRIBUTE, rewritten)
  })
}

function placeTensor(
  source: ByteSource,
  tensor: Field,
  mover: WeightMover,
  keeps: boolean,
): Buffer {
  return rewrite(source, tensor.payload, (field) => {
    if (field.number !== TENSOR_EXTERNAL_DATA) return undefined
    // All entries of a tensor are written where the first was.
    const entries = readEntries(source, tensor)
    if (entries.first.start !== field.start) return Buffer.alloc(0)
    return Buffer.concat(
      [...placeEntries(entries.values, mover, keeps)].map(([key, value]) =>
        encodeField(
          TENSOR_EXTERNAL_DATA,
          Buffer.concat([encodeField(ENTRY.key, key), encodeField(ENTRY.value, value)]),
        ),
      ),
    )
  })
}

function* placeEntries(
  values: ReadonlyMap<string, string>,
  mover: WeightMover,
  keepsPrepacked: boolean,
): Generator<[string, string]> {
  const length = Number(values.get('length'))
  yield ['location', WEIGHTS_NAME]
  yield ['offset', String(mover.movePlain(Number(values.get('offset')), length))]
  yield ['length', String(length)]
  if (!keepsPrepacked) return
  for (const [key, value] of values) {
    if (key.startsWith('prepacked_')) yield [key, placePrepacked(value, mover)]
  }
}

// Source: ONNX Runtime, core/framework/tensor_external_data_info.cc: KEY|OFFSET;LENGTH;CHECKSUM|OFFSET;LENGTH;CHECKSUM…
function placePrepacked(value: string, mover: WeightMover): string {
  const [blobKey = '', ...blobs] = value.split('|')
  const placed = blobs.map((blob) => {
    const [offset, length, ...rest] = blob.split(';')
    return [mover.movePrepacked(Number(offset), Number(length)), length, ...rest].join(';')
  })
  return [blobKey, ...placed].join('|')
}

function readEntries(
  source: ByteSource,
  tensor: Field,
): { readonly first: Field; readonly values: ReadonlyMap<string, string> } {
  const values = new Map<string, string>()
  let first = tensor
  for (const entry of walkFields(source, tensor.payload.start, tensor.payload.end)) {
    if (entry.number !== TENSOR_EXTERNAL_DATA) continue
    if (values.size === 0) first = entry
    const texts = new Map<number, string>()
    for (const field of walkFields(source, entry.payload.start, entry.payload.end)) {
      texts.set(field.number, textOf(source, field))
    }
    values.set(texts.get(ENTRY.key) ?? '', texts.get(ENTRY.value) ?? '')
  }
  return { first, values }
}

/** A message with some of its fields replaced; the others are copied byte for byte. */
function rewrite(
  source: ByteSource,
  { start, end }: { readonly start: number; readonly end: number },
  replacement: (field: Field) => Buffer | undefined,
): Buffer {
  const parts = [...walkFields(source, start, end)].map(
    (field) => replacement(field) ?? source.read(field.start, field.end - field.start),
  )
  return Buffer.concat(parts)
}

function sourceOf(bytes: Buffer): ByteSource {
  const read = (offset: number, byteLength: number) => bytes.subarray(offset, offset + byteLength)
  return { byteLength: bytes.length, read }
}

function whole({ byteLength }: ByteSource): { readonly start: number; readonly end: number } {
  return { start: 0, end: byteLength }
}

/** Copies pieces of one file to page boundaries of another. */
class WeightMover implements Disposable {
  readonly #from: number
  readonly #to: number
  readonly #hash = createHash('sha256')
  #end = 0
  plainBytes = 0
  prepackedBytes = 0

  constructor(fromPath: string, toPath: string) {
    this.#from = openSync(fromPath, 'r')
    this.#to = openSync(toPath, 'w', 0o600)
  }

  movePlain(offset: number, byteLength: number): number {
    this.plainBytes += byteLength
    return this.#move(offset, byteLength)
  }

  movePrepacked(offset: number, byteLength: number): number {
    this.prepackedBytes += byteLength
    return this.#move(offset, byteLength)
  }

  // On the way, while the bytes are in the processor's cache: reading 800 MB again takes a second.
  sha256(): string {
    return this.#hash.digest('hex')
  }

  [Symbol.dispose](): void {
    closeSync(this.#from)
    closeSync(this.#to)
  }

  #move(offset: number, byteLength: number): number {
    // What lies between is a hole: it takes no room on the disk.
    const alignment = byteLength < LARGE_PAGE_BYTES ? PAGE_BYTES : LARGE_PAGE_BYTES
    const placedAt = Math.ceil(this.#end / alignment) * alignment
    this.#hash.update(Buffer.alloc(placedAt - this.#end))
    const chunk = Buffer.allocUnsafe(Math.min(COPY_BYTES, byteLength))
    for (let done = 0; done < byteLength;) {
      const wanted = Math.min(chunk.length, byteLength - done)
      const count = readSync(this.#from, chunk, 0, wanted, offset + done)
      if (count === 0)
        throw new Error('The saved model names weights behind the end of their file.')
      let written = 0
      while (written < count) {
        const position = placedAt + done + written
        written += writeSync(this.#to, chunk, written, count - written, position)
      }
      this.#hash.update(chunk.subarray(0, count))
      done += count
    }
    this.#end = placedAt + byteLength
    return placedAt
  }
}
