import { textOf, walkFields } from './protobuf.ts'
import type { ByteSource, Field } from './protobuf.ts'

/** A ZipMap node: it turns a matrix of probabilities into a sequence of maps, which the runtime cannot hand over. */
export interface ZipMap {
  readonly node: Field
  readonly inputName: string
  readonly outputName: string
  /** Class labels in column order. */
  readonly labels: readonly string[]
}

/** What Berth reads of a model file itself. */
export interface Outline {
  readonly graph: Field
  readonly zipMaps: readonly ZipMap[]
  /** The graph's outputs: where each is declared. */
  readonly outputs: readonly { readonly name: string; readonly field: Field }[]
  /** Whether the model imports the standard operators. */
  readonly hasStandardOperators: boolean
}

// Source: onnx.proto, field numbers.
const MODEL = { graph: 7, opsetImport: 8 } as const
const OPSET = { domain: 1 } as const
const GRAPH = { node: 1, output: 12 } as const
const NODE = { input: 1, output: 2, opType: 4, attribute: 5 } as const
const ATTRIBUTE = { name: 1, ints: 8, strings: 9 } as const
const VALUE_INFO = { name: 1 } as const

/**
 * Reads a model file's outline. Weights are skipped, so it costs as little for a large model as for a small one.
 *
 * @throws ProtobufError: the bytes are not protobuf.
 */
export function readOutline(source: ByteSource): Outline | undefined {
  const fields = [...walkFields(source, 0, source.byteLength)]
  const graph = fields.find(({ number }) => number === MODEL.graph)
  if (graph === undefined) return undefined
  const zipMaps: ZipMap[] = []
  const outputs: { name: string; field: Field }[] = []
  for (const field of fieldsOf(source, graph)) {
    if (field.number === GRAPH.node) zipMaps.push(...readZipMap(source, field))
    if (field.number === GRAPH.output) {
      outputs.push({ name: textField(source, field, VALUE_INFO.name), field })
    }
  }
  const imports = fields.filter(({ number }) => number === MODEL.opsetImport)
  const domains = imports.map((field) => textField(source, field, OPSET.domain))
  const hasStandardOperators = domains.some((domain) => domain === '' || domain === 'ai.onnx')
  return { graph, zipMaps, outputs, hasStandardOperators }
}

/** The fields inside a length-delimited field. */
export function fieldsOf(source: ByteSource, { payload }: Field): Generator<Field> {
  return walkFields(source, payload.start, payload.end)
}

function readZipMap(source: ByteSource, node: Field): ZipMap[] {
  if (textField(source, node, NODE.opType) !== 'ZipMap') return []
  const inputName = textField(source, node, NODE.input)
  const outputName = textField(source, node, NODE.output)
  const labels = [...fieldsOf(source, node)]
    .filter(({ number }) => number === NODE.attribute)
    .flatMap((attribute) => readLabels(source, attribute))
  return [{ node, inputName, outputName, labels }]
}

// Source: ai.onnx.ml ZipMap: exactly one of classlabels_int64s and classlabels_strings is set.
function readLabels(source: ByteSource, attribute: Field): string[] {
  if (!textField(source, attribute, ATTRIBUTE.name).startsWith('classlabels_')) return []
  return [...fieldsOf(source, attribute)].flatMap((field) => {
    if (field.number === ATTRIBUTE.strings) return [textOf(source, field)]
    return field.number === ATTRIBUTE.ints ? readIntegers(source, field) : []
  })
}

// Written one field each (proto2) or packed into one; both occur.
function readIntegers(source: ByteSource, field: Field): string[] {
  const { start, end } = field.payload
  if (start === end) return [String(field.value)]
  const labels: string[] = []
  let value = 0n
  let shift = 0n
  for (const byte of source.read(start, end - start)) {
    value |= BigInt(byte & 0x7f) << shift
    shift += 7n
    if (byte < 0x80) {
      labels.push(String(BigInt.asIntN(64, value)))
      value = 0n
      shift = 0n
    }
  }
  return labels
}

function textField(source: ByteSource, message: Field, number: number): string {
  for (const field of fieldsOf(source, message)) {
    if (field.number === number) return textOf(source, field)
  }
  return ''
}
