/* Small ONNX models without Python, float attributes included. Field numbers: onnx.proto. */
import { encodeField, encodeVarintField } from '../../src/modelserver/onnx/protobuf.ts'

const FLOAT = 1
const INT64 = 7
const ELEMENT_TYPES = {
  float: FLOAT,
  int32: 6,
  int64: INT64,
  string: 8,
  bool: 9,
  uint64: 13,
} as const

/** One operator; attributes that are whole numbers are integers, `{ float }` are not. */
export interface OnnxNode {
  readonly operator: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes?: Readonly<Record<string, number | { readonly float: number }>>
}

/** A graph of float32 tensors, unless their types say otherwise. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[]
  readonly weights: Readonly<
    Record<string, { readonly dims: readonly number[]; readonly values: Float32Array }>
  >
  /** Inputs that are int64. */
  readonly integers?: readonly string[]
  /** Types of inputs and outputs that are not float32. */
  readonly types?: Readonly<Record<string, keyof typeof ELEMENT_TYPES>>
  /** Dimensions by name; text is open. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>
  readonly outputs: Readonly<Record<string, readonly (number | string)[]>>
  /** @defaultValue 17 */
  readonly opset?: number
}

/** The bytes of a model. */
export function encodeOnnx({
  nodes,
  weights,
  inputs,
  outputs,
  integers = [],
  types = {},
  opset = 17,
}: OnnxGraph): Buffer {
  const typeOf = (name: string): number =>
    integers.includes(name) ? INT64 : ELEMENT_TYPES[types[name] ?? 'float']
  const graph = Buffer.concat([
    ...nodes.map((node) => encodeField(1, encodeNode(node))),
    encodeField(2, 'test'),
    ...Object.entries(weights).map(([name, { dims, values }]) =>
      encodeField(
        5,
        Buffer.concat([
          ...dims.map((dim) => encodeVarintField(1, dim)),
          encodeVarintField(2, FLOAT),
          encodeField(8, name),
          encodeField(9, Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
        ]),
      ),
    ),
    ...Object.entries(inputs).map(([name, dims]) =>
      encodeField(11, encodeValue(name, dims, typeOf(name))),
    ),
    ...Object.entries(outputs).map(([name, dims]) =>
      encodeField(12, encodeValue(name, dims, typeOf(name))),
    ),
  ])
  return Buffer.concat([
    encodeVarintField(1, 8),
    encodeField(7, graph),
    encodeField(8, Buffer.concat([encodeField(1, ''), encodeVarintField(2, opset)])),
  ])
}

function encodeNode({ operator, inputs, outputs, attributes = {} }: OnnxNode): Buffer {
  return Buffer.concat([
    ...inputs.map((name) => encodeField(1, name)),
    ...outputs.map((name) => encodeField(2, name)),
    encodeField(4, operator),
    ...Object.entries(attributes).map(([name, value]) =>
      encodeField(5, Buffer.concat([encodeField(1, name), encodeAttribute(value)])),
    ),
  ])
}

function encodeAttribute(value: number | { readonly float: number }): Buffer {
  if (typeof value === 'number') {
    return Buffer.concat([encodeVarintField(3, value), encodeVarintField(20, 2)])
  }
  const float = Buffer.alloc(5)
  float[0] = 2 * 8 + 5
  float.writeFloatLE(value.float, 1)
  return Buffer.concat([float, encodeVarintField(20, 1)])
}

function encodeValue(name: string, dims: readonly (number | string)[], of: number): Buffer {
  const shape = dims.map((dim) =>
    encodeField(1, typeof dim === 'number' ? encodeVarintField(1, dim) : encodeField(2, dim)),
  )
  const type = Buffer.concat([encodeVarintField(1, of), encodeField(2, Buffer.concat(shape))])
  return Buffer.concat([encodeField(1, name), encodeField(2, encodeField(1, type))])
}
