/**
 * Writes small ONNX models without Python: the few messages of onnx.proto that a plain graph of float tensors needs.
 *
 * Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */

const OPSET = 17
const IR_VERSION = 8
const TYPE = { float: 1, int64: 7 } as const
const ATTRIBUTE_TYPE = { int: 2, ints: 7 } as const

/** One operator of a graph. */
export interface Node {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly output: string
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>
}

/** A constant: weights, or the shape that a Reshape is given. */
export interface Tensor {
  readonly name: string
  readonly dims: readonly number[]
  readonly values: Float32Array | BigInt64Array
}

/** A graph with one input and one output of floats; the first dimension of both is the batch. */
export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly tensors: readonly Tensor[]
  readonly input: { readonly name: string; readonly width: number }
  readonly output: { readonly name: string; readonly width: number }
}

export function encodeModel(graph: Graph): Buffer {
  return Buffer.concat([
    integer(1, IR_VERSION),
    text(2, 'berth bench'),
    message(7, encodeGraph(graph)),
    message(8, [text(1, ''), integer(2, OPSET)]),
  ])
}

function encodeGraph(graph: Graph): Buffer[] {
  return [
    ...graph.nodes.map((node) => message(1, encodeNode(node))),
    text(2, graph.name),
    ...graph.tensors.map((tensor) => message(5, encodeTensor(tensor))),
    message(11, encodeValue(graph.input)),
    message(12, encodeValue(graph.output)),
  ]
}

function encodeNode({ operator, inputs, output, attributes = {} }: Node): Buffer[] {
  return [
    ...inputs.map((name) => text(1, name)),
    text(2, output),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      message(5, [text(1, name), ...encodeAttribute(value)]),
    ),
  ]
}

function encodeAttribute(value: number | readonly number[]): Buffer[] {
  return typeof value === 'number'
    ? [integer(3, value), integer(20, ATTRIBUTE_TYPE.int)]
    : [...value.map((item) => integer(8, item)), integer(20, ATTRIBUTE_TYPE.ints)]
}

function encodeTensor({ name, dims, values }: Tensor): Buffer[] {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  return [
    ...dims.map((size) => integer(1, size)),
    integer(2, values instanceof Float32Array ? TYPE.float : TYPE.int64),
    text(8, name),
    message(9, [bytes]),
  ]
}

function encodeValue({ name, width }: Graph['input']): Buffer[] {
  const shape = [message(1, [text(2, 'batch')]), message(1, [integer(1, width)])]
  const tensorType = [integer(1, TYPE.float), message(2, shape)]
  return [text(1, name), message(2, [message(1, tensorType)])]
}

/** A field of protobuf's wire type 0. */
function integer(field: number, value: number): Buffer {
  return Buffer.from([...varint(field << 3), ...varint(value)])
}

function text(field: number, value: string): Buffer {
  return message(field, [Buffer.from(value)])
}

/** A field of protobuf's wire type 2: bytes with their length before them. */
function message(field: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((total, part) => total + part.length, 0)
  return Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(length)]), ...parts])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return [...bytes, rest]
}
