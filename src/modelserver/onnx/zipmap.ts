import { Buffer } from 'node:buffer'
import { fieldsOf } from './outline.ts'
import type { Outline } from './outline.ts'
import { encodeField, encodeVarintField, walkFields } from './protobuf.ts'
import type { ByteSource, Field } from './protobuf.ts'

// Source: onnx.proto, field numbers; TensorProto.FLOAT is 1.
const MODEL_OPSET_IMPORT = 8
const FLOAT = 1
// Any opset has Identity; 13 is old enough for every runtime that loads the rest.
const STANDARD_OPSET = 13

/**
 * Rewrites a model so that every ZipMap hands on its matrix of probabilities instead of a sequence of maps.
 *
 * The node becomes an Identity of the same output name, and that output is declared a float tensor; all else is
 * copied byte for byte. The labels are in the outline.
 *
 * @returns the model's bytes.
 */
export function withoutZipMaps(source: ByteSource, outline: Outline): Buffer {
  const parts: Buffer[] = []
  for (const field of walkFields(source, 0, source.byteLength)) {
    const isGraph = field.start === outline.graph.start
    parts.push(isGraph ? rewriteGraph(source, outline) : bytesOf(source, field))
  }
  if (!outline.hasStandardOperators) {
    parts.push(encodeField(MODEL_OPSET_IMPORT, encodeVarintField(2, STANDARD_OPSET)))
  }
  return Buffer.concat(parts)
}

function rewriteGraph(source: ByteSource, { graph, zipMaps, outputs }: Outline): Buffer {
  const replacements = new Map<number, Buffer>()
  for (const { node, inputName, outputName, labels } of zipMaps) {
    replacements.set(node.start, encodeField(1, identityNode(inputName, outputName)))
    const output = outputs.find(({ name }) => name === outputName)
    if (output !== undefined) {
      replacements.set(output.field.start, encodeField(12, floatOutput(outputName, labels.length)))
    }
  }
  const fields = [...fieldsOf(source, graph)]
  return encodeField(
    7,
    Buffer.concat(fields.map((field) => replacements.get(field.start) ?? bytesOf(source, field))),
  )
}

// NodeProto: input 1, output 2, op_type 4.
function identityNode(inputName: string, outputName: string): Buffer {
  const parts = [encodeField(1, inputName), encodeField(2, outputName), encodeField(4, 'Identity')]
  return Buffer.concat(parts)
}

// ValueInfoProto: name 1, type 2; TypeProto: tensor_type 1; its elem_type 1 and shape 2; its dim 1; its dim_value 1.
function floatOutput(name: string, classCount: number): Buffer {
  const rows = encodeField(1, Buffer.alloc(0))
  const classes = encodeField(1, encodeVarintField(1, classCount))
  const shape = encodeField(2, Buffer.concat([rows, classes]))
  const tensorType = Buffer.concat([encodeVarintField(1, FLOAT), shape])
  return Buffer.concat([encodeField(1, name), encodeField(2, encodeField(1, tensorType))])
}

function bytesOf(source: ByteSource, { start, end }: Field): Buffer {
  return source.read(start, end - start)
}
