/**
 * Multilayer perceptrons of any size, made when they are needed: 64 values in, 10 out, in between layers of one width.
 * Nearly all of the file is weights. `node bench/models/mlp.ts FILE WIDTH LAYERS` writes one.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { encodeModel, type Node, type Tensor } from './onnx-writer.ts'

const WIDTH_IN = 64
const WIDTH_OUT = 10
const BYTES_PER_WEIGHT = 4
// Weights are windows on one table: a hundred million random numbers would take longer than everything else.
const TABLE_LENGTH = 1_000_003

const isMain = process.argv[1] === fileURLToPath(import.meta.url)

/** Width and number of the layers between the first and the last. */
export interface MlpShape {
  readonly width: number
  readonly layerCount: number
  readonly inputWidth?: number
  readonly outputWidth?: number
}

/** Four layers between, as wide as it takes for about so many bytes of weights. */
export function shapeOfBytes(bytes: number): MlpShape {
  const layerCount = 4
  return { width: Math.round(Math.sqrt(bytes / BYTES_PER_WEIGHT / layerCount)), layerCount }
}

/** @returns the bytes of the model; the same for the same shape. */
export function makeMlp({
  width,
  layerCount,
  inputWidth = WIDTH_IN,
  outputWidth = WIDTH_OUT,
}: MlpShape): Buffer {
  const table = randomTable()
  const nodes: Node[] = []
  const tensors: Tensor[] = []
  const widths = [inputWidth, ...Array.from({ length: layerCount + 1 }, () => width), outputWidth]
  let current = 'input'
  for (let layer = 0; layer + 1 < widths.length; layer += 1) {
    const [rows = 0, columns = 0] = widths.slice(layer, layer + 2)
    const isLast = layer + 2 === widths.length
    // Values keep their size from layer to layer (He).
    const scale = Math.sqrt(6 / rows)
    const [weight, bias] = [`w${layer}`, `b${layer}`]
    tensors.push({
      name: weight,
      dims: [rows, columns],
      values: window(layer, rows * columns, scale),
    })
    tensors.push({ name: bias, dims: [columns], values: window(layer + 100, columns, 0.1) })
    const sum = isLast ? 'output' : `sum${layer}`
    nodes.push({ operator: 'Gemm', inputs: [current, weight, bias], output: sum })
    if (!isLast) nodes.push({ operator: 'Relu', inputs: [sum], output: `rectified${layer}` })
    current = `rectified${layer}`
  }
  const input = { name: 'input', width: inputWidth }
  const output = { name: 'output', width: outputWidth }
  return encodeModel({ name: 'mlp', nodes, tensors, input, output })

  function window(start: number, length: number, scale: number): Float32Array {
    const values = new Float32Array(length)
    let at = (start * 7919) % TABLE_LENGTH
    for (let index = 0; index < length; index += 1) {
      values[index] = (table[at] ?? 0) * scale
      at = at + 1 === TABLE_LENGTH ? 0 : at + 1
    }
    return values
  }
}

/** Numbers in [-1, 1). */
function randomTable(): Float32Array {
  const table = new Float32Array(TABLE_LENGTH)
  let state = 1
  for (let index = 0; index < TABLE_LENGTH; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    table[index] = state / 2 ** 31 - 1
  }
  return table
}

if (isMain) {
  const [, , path = 'mlp.onnx', width = '1600', layerCount = '4'] = process.argv
  writeFileSync(path, makeMlp({ width: Number(width), layerCount: Number(layerCount) }))
}
