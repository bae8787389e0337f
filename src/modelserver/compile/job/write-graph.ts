import { Buffer } from 'node:buffer'
import { writeFileSync } from 'node:fs'
import { encodeField, encodeVarintField, walkFields } from '../../onnx/protobuf.ts'
import { Refusal } from '../refusal.ts'
import type { Graph } from './graph.ts'

// Source: onnx.proto, field numbers.
const MODEL_GRAPH = 7
const MODEL_BYTES_MAX = 2 ** 31 - 1
const GRAPH = { node: 1, initializer: 5 } as const
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5 } as const
const ATTRIBUTE = { name: 1, integer: 3, type: 20 } as const
const ATTRIBUTE_IS_INTEGER = 2
const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 } as const

/** A standard operator to be written. */
export interface NewNode {
  readonly opType: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly integers?: Readonly<Record<string, number>>
}

/** A constant to be written into the graph. */
export interface NewTensor {
  readonly name: string
  readonly type: number
  readonly dims: readonly number[]
  /** Little-endian elements. */
  readonly bytes: Uint8Array
}

/** What becomes of a graph's nodes and weights. */
export interface GraphChanges {
  /** Encoded nodes, in an order in which they can run. */
  readonly nodes: readonly Buffer[]
  /** Names of weights that go. */
  readonly removed: ReadonlySet<string>
  readonly added: readonly NewTensor[]
}

/**
 * Writes a changed graph beside the one that was read, so that weights in a file of their own are found.
 *
 * @throws Refusal: the file would pass what protobuf can hold.
 */
export function writeGraph(graph: Graph, path: string, changes: GraphChanges): void {
  const { source, field } = graph
  const kept = (start: number, end: number): Buffer => source.read(start, end - start)
  const removed = new Set(
    graph.weights
      .filter(({ name }) => changes.removed.has(name))
      .map((weight) => weight.field.start),
  )
  const inner = [...walkFields(source, field.payload.start, field.payload.end)]
    .filter(({ number, start }) => number !== GRAPH.node && !removed.has(start))
    .map(({ start, end }) => kept(start, end))
  const nodes = changes.nodes.map((node) => encodeField(GRAPH.node, node))
  const added = changes.added.map((tensor) => encodeField(GRAPH.initializer, encodeTensor(tensor)))
  const encoded = encodeField(MODEL_GRAPH, Buffer.concat([...nodes, ...inner, ...added]))
  const model = Buffer.concat([kept(0, field.start), encoded, kept(field.end, source.byteLength)])
  if (model.length > MODEL_BYTES_MAX) {
    throw new Refusal('its changed weights take more than the 2 GiB that an ONNX file can hold')
  }
  writeFileSync(path, model)
}

/** A node's message. */
export function encodeNode({ opType, inputs, outputs, integers = {} }: NewNode): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => encodeField(NODE.input, name)),
    ...outputs.map((name) => encodeField(NODE.output, name)),
    encodeField(NODE.name, `${outputs[0] ?? ''}/${opType}`),
    encodeField(NODE.opType, opType),
    ...Object.entries(integers).map(([name, value]) =>
      encodeField(
        NODE.attribute,
        Buffer.concat([
          encodeField(ATTRIBUTE.name, name),
          encodeVarintField(ATTRIBUTE.integer, value),
          encodeVarintField(ATTRIBUTE.type, ATTRIBUTE_IS_INTEGER),
        ]),
      ),
    ),
  ])
}

function encodeTensor({ name, type, dims, bytes }: NewTensor): Buffer {
  return Buffer.concat([
    ...dims.map((dim) => encodeVarintField(TENSOR.dims, dim)),
    encodeVarintField(TENSOR.type, type),
    encodeField(TENSOR.name, name),
    encodeField(TENSOR.raw, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  ])
}
