/// <reference lib="esnext.float16" />
import { Refusal } from '../refusal.ts'
import { DATA_TYPE, readGraph } from './graph.ts'
import type { Weight } from './graph.ts'
import type { QuantiseSummary } from './quantise-graph.ts'
import { encodeNode, writeGraph } from './write-graph.ts'
import type { NewTensor } from './write-graph.ts'

// Below this a Cast and its name take as much as they save.
const ELEMENTS_MIN = 1024
const FLOAT16_MAX = 65_504

/**
 * Stores large float32 weights as float16, each with a Cast back: the file halves, the arithmetic stays float32.
 * ONNX Runtime undoes the Cast when it loads the model, so memory and speed are as before.
 *
 * @throws Refusal: there is nothing to halve.
 */
export function halveGraph(path: string, targetPath: string): QuantiseSummary {
  const graph = readGraph(path)
  const large = graph.weights.filter(
    ({ name, type, elementCount }) =>
      type === DATA_TYPE.float32 && elementCount >= ELEMENTS_MIN && !graph.inputNames.has(name),
  )
  const halved = large.flatMap((weight) => halve(weight) ?? [])
  if (halved.length === 0) {
    throw new Refusal(
      `fp16 changes nothing in it: it has no float32 weights of ${ELEMENTS_MIN} numbers or more within the range of float16`,
    )
  }
  const casts = halved.map(({ name, tensor }) =>
    encodeNode({
      opType: 'Cast',
      inputs: [tensor.name],
      outputs: [name],
      integers: { to: DATA_TYPE.float32 },
    }),
  )
  const nodes = graph.nodes.map(({ field: { payload } }) =>
    graph.source.read(payload.start, payload.end - payload.start),
  )
  writeGraph(graph, targetPath, {
    nodes: [...casts, ...nodes],
    removed: new Set(halved.map(({ name }) => name)),
    added: halved.map(({ tensor }) => tensor),
  })
  return { convertedCount: halved.length, keptCount: large.length - halved.length }
}

function halve({
  name,
  dims,
  readFloats,
}: Weight): { readonly name: string; readonly tensor: NewTensor } | undefined {
  const floats = readFloats()
  if (!floats.every((value) => Math.abs(value) <= FLOAT16_MAX)) return undefined
  const halves = Float16Array.from(floats)
  const bytes = new Uint8Array(halves.buffer)
  return { name, tensor: { name: `${name}/fp16`, type: DATA_TYPE.float16, dims, bytes } }
}
