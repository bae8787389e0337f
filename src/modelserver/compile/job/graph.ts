import { Buffer } from 'node:buffer'
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { textOf, walkFields } from '../../onnx/protobuf.ts'
import type { ByteSource, Field } from '../../onnx/protobuf.ts'

// Source: onnx.proto, field numbers.
const MODEL = { graph: 7, opsetImport: 8 } as const
const OPSET = { domain: 1, version: 2 } as const
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12 } as const
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const
const ATTRIBUTE = { name: 1, float: 2, integer: 3, graph: 6, graphs: 11 } as const
const TENSOR = { dims: 1, type: 2, floats: 4, name: 8, raw: 9, external: 13 } as const
const ENTRY = { key: 1, value: 2 } as const
const VALUE_INFO_NAME = 1

/** `TensorProto.DataType` of what is read and written here. */
export const DATA_TYPE = { float32: 1, int8: 3, float16: 10 } as const

/** A node as far as it matters here. */
export interface GraphNode {
  readonly field: Field
  readonly opType: string
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly numbers: ReadonlyMap<string, number>
}

/** A constant tensor of the graph; its bytes are read when asked for. */
export interface Weight {
  readonly field: Field
  readonly name: string
  readonly type: number
  readonly dims: readonly number[]
  readonly elementCount: number
  /** Little-endian elements of a float32 tensor. */
  readonly readFloats: () => Float32Array
}

/** The main graph of a model that ONNX Runtime saved. */
export interface Graph {
  readonly source: ByteSource
  readonly path: string
  readonly field: Field
  readonly nodes: readonly GraphNode[]
  readonly weights: readonly Weight[]
  /** Names that callers may give a value: not constant. */
  readonly inputNames: ReadonlySet<string>
  /** Of the standard operators. */
  readonly opset: number
  /** How often each name is read, by nodes of inner graphs and as an output too. */
  readonly useCounts: ReadonlyMap<string, number>
}

/** Reads the graph of a model whose large weights lie beside it. */
export function readGraph(path: string): Graph {
  const source = bufferSource(readFileSync(path))
  const fields = [...walkFields(source, 0, source.byteLength)]
  const field = fields.find(({ number }) => number === MODEL.graph)
  if (field === undefined) throw new Error('The saved model has no graph.')
  const parts = fieldsOf(source, field)
  const of = (number: number): readonly Field[] => parts.filter((part) => part.number === number)
  const nodes = of(GRAPH.node).map((node) => readNode(source, node))
  const useCounts = new Map<string, number>()
  countUses(source, field, useCounts)
  for (const output of of(GRAPH.output))
    addUse(useCounts, textField(source, output, VALUE_INFO_NAME))
  return {
    source,
    path,
    field,
    nodes,
    weights: of(GRAPH.initializer).map((tensor) => readWeight(source, tensor, path)),
    inputNames: new Set(of(GRAPH.input).map((input) => textField(source, input, VALUE_INFO_NAME))),
    opset: readOpset(source, fields),
    useCounts,
  }
}

/** The fields inside a length-delimited field. */
export function fieldsOf(source: ByteSource, { payload }: Field): readonly Field[] {
  return [...walkFields(source, payload.start, payload.end)]
}

function readOpset(source: ByteSource, fields: readonly Field[]): number {
  for (const field of fields) {
    if (field.number !== MODEL.opsetImport) continue
    const domain = textField(source, field, OPSET.domain)
    const version = fieldsOf(source, field).find(({ number }) => number === OPSET.version)
    if (domain === '' || domain === 'ai.onnx') return version?.value ?? 0
  }
  return 0
}

function readNode(source: ByteSource, field: Field): GraphNode {
  const parts = fieldsOf(source, field)
  const texts = (number: number): readonly string[] =>
    parts.filter((part) => part.number === number).map((part) => textOf(source, part))
  const numbers = new Map<string, number>()
  for (const attribute of parts.filter(({ number }) => number === NODE.attribute)) {
    for (const part of fieldsOf(source, attribute)) {
      const name = textField(source, attribute, ATTRIBUTE.name)
      if (part.number === ATTRIBUTE.integer) numbers.set(name, part.value)
      if (part.number === ATTRIBUTE.float) {
        numbers.set(name, source.read(part.end - 4, 4).readFloatLE(0))
      }
    }
  }
  const [opType = ''] = texts(NODE.opType)
  const [domain = ''] = texts(NODE.domain)
  const [name = ''] = texts(NODE.name)
  return {
    field,
    opType,
    domain: domain === 'ai.onnx' ? '' : domain,
    name,
    inputs: texts(NODE.input),
    outputs: texts(NODE.output),
    numbers,
  }
}

// If, Loop and Scan read names of the graph around theirs.
function countUses(source: ByteSource, graph: Field, counts: Map<string, number>): void {
  for (const node of fieldsOf(source, graph)) {
    if (node.number !== GRAPH.node) continue
    for (const part of fieldsOf(source, node)) {
      if (part.number === NODE.input) addUse(counts, textOf(source, part))
      if (part.number !== NODE.attribute) continue
      for (const inner of fieldsOf(source, part)) {
        const isGraph = inner.number === ATTRIBUTE.graph || inner.number === ATTRIBUTE.graphs
        if (isGraph) countUses(source, inner, counts)
      }
    }
  }
}

function addUse(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function readWeight(source: ByteSource, field: Field, path: string): Weight {
  const parts = fieldsOf(source, field)
  const dims = parts
    .filter(({ number }) => number === TENSOR.dims)
    .flatMap((d) => varints(source, d))
  const elementCount = dims.reduce((product, dim) => product * dim, 1)
  return {
    field,
    name: textField(source, field, TENSOR.name),
    type: parts.find(({ number }) => number === TENSOR.type)?.value ?? 0,
    dims,
    elementCount,
    readFloats: () => {
      const bytes = readBytes(source, parts, path)
      if (bytes.length !== elementCount * 4)
        throw new Error('A weight has another size than its shape.')
      // Aligned, which a part of a file is not.
      return new Float32Array(Uint8Array.from(bytes).buffer)
    },
  }
}

// Repeated numbers are packed into one field or written one field each.
function varints(source: ByteSource, field: Field): readonly number[] {
  const { start, end } = field.payload
  if (start === end) return [field.value]
  const numbers: number[] = []
  let value = 0
  let factor = 1
  for (const byte of source.read(start, end - start)) {
    value += (byte & 0x7f) * factor
    factor *= 128
    if (byte >= 0x80) continue
    numbers.push(value)
    value = 0
    factor = 1
  }
  return numbers
}

function readBytes(source: ByteSource, parts: readonly Field[], path: string): Buffer {
  const raw = parts.find(({ number }) => number === TENSOR.raw)
  if (raw !== undefined) return source.read(raw.payload.start, raw.payload.end - raw.payload.start)
  const floats = parts.filter(({ number }) => number === TENSOR.floats)
  if (floats.length > 0) {
    return Buffer.concat(
      floats.map(({ payload, end }) =>
        payload.start === payload.end
          ? source.read(end - 4, 4)
          : source.read(payload.start, payload.end - payload.start),
      ),
    )
  }
  return readExternal(source, parts, path)
}

function readExternal(source: ByteSource, parts: readonly Field[], path: string): Buffer {
  const values = new Map<string, string>()
  for (const entry of parts.filter(({ number }) => number === TENSOR.external)) {
    values.set(textField(source, entry, ENTRY.key), textField(source, entry, ENTRY.value))
  }
  const bytes = Buffer.alloc(Number(values.get('length') ?? 0))
  const descriptor = openSync(join(dirname(path), values.get('location') ?? ''), 'r')
  try {
    const offset = Number(values.get('offset') ?? 0)
    for (let filled = 0; filled < bytes.length;) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, offset + filled)
      if (count === 0)
        throw new Error('The saved model names weights behind the end of their file.')
      filled += count
    }
    return bytes
  } finally {
    closeSync(descriptor)
  }
}

function textField(source: ByteSource, message: Field, number: number): string {
  const field = fieldsOf(source, message).find((part) => part.number === number)
  return field === undefined ? '' : textOf(source, field)
}

function bufferSource(bytes: Buffer): ByteSource {
  const read = (offset: number, byteLength: number) => bytes.subarray(offset, offset + byteLength)
  return { byteLength: bytes.length, read }
}
