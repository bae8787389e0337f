import { readFile } from 'node:fs/promises'

// Field numbers of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.external_data,
// StringStringEntryProto.key and .value.
const GRAPH = 7
const INITIALIZER = 5
const EXTERNAL_DATA = 13
const KEY = 1
const VALUE = 2

/**
 * Names of the files that hold an ONNX model's weights outside it, relative to its folder.
 *
 * A file that is no ONNX model has none: whether it can be loaded is for ONNX Runtime to say.
 */
export async function readExternalDataNames(modelPath: string): Promise<readonly string[]> {
  const names = new Set<string>()
  const model = await readFile(modelPath)
  for (const graph of messagesOf(model, GRAPH)) {
    for (const tensor of messagesOf(graph, INITIALIZER)) {
      for (const entry of messagesOf(tensor, EXTERNAL_DATA)) {
        const [key] = messagesOf(entry, KEY)
        const [value] = messagesOf(entry, VALUE)
        if (key?.toString() === 'location' && value !== undefined) names.add(value.toString())
      }
    }
  }
  return [...names].toSorted()
}

/** The length-delimited fields of a protobuf message that have this number; stops at what it cannot read. */
function* messagesOf(message: Buffer, fieldNumber: number): Generator<Buffer> {
  let at = 0
  while (at < message.length) {
    const tag = readVarint(message, at)
    const wireType = tag.value & 7
    if (wireType === 0) at = readVarint(message, tag.end).end
    else if (wireType === 1) at = tag.end + 8
    else if (wireType === 5) at = tag.end + 4
    else if (wireType === 2) {
      const length = readVarint(message, tag.end)
      at = length.end + length.value
      if (tag.value >>> 3 === fieldNumber) yield message.subarray(length.end, at)
    } else return
  }
}

// Arithmetic, not shifts: lengths may exceed 31 bits. Ten bytes is the longest varint.
function readVarint(message: Buffer, start: number): { value: number; end: number } {
  let value = 0
  for (let at = start; at < start + 10; at += 1) {
    const byte = message[at]
    if (byte === undefined) break
    value += (byte & 0x7f) * 2 ** (7 * (at - start))
    if (byte < 0x80) return { value, end: at + 1 }
  }
  return { value: 0, end: message.length }
}
