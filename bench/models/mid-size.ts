/**
 * A mid-size model, made when it is needed: 64 values in, 10 out like the small one, several milliseconds in between.
 *
 * Convolutions on small images with few weights: the time goes into arithmetic, so a batch of n costs about n times as
 * much, as it does for most vision models. (A wide MLP of this cost would wait for memory, and batching it would look
 * like magic.) `node bench/models/mid-size.ts FILE` writes it.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { encodeModel, type Node, type Tensor } from './onnx-writer.ts'

const WIDTH_IN = 64
const WIDTH_OUT = 10
const SIDE = 16
const CHANNELS = 64
/** 18.9 M multiplications and as many additions each; two for each of this many take a core of 2023 about 6 ms. */
const BLOCKS = 24
const KERNEL = 3
const SEED = 1

const isMain = process.argv[1] === fileURLToPath(import.meta.url)

/** @returns the bytes of the model; the same on every call. */
export function makeMidSizeModel(): Buffer {
  const random = randomNormal(SEED)
  const nodes: Node[] = []
  const tensors: Tensor[] = []
  const weights = (name: string, dims: readonly number[], fanIn: number): string => {
    const count = dims.reduce((total, size) => total * size, 1)
    const scale = Math.sqrt(2 / fanIn)
    tensors.push({
      name,
      dims,
      values: Float32Array.from({ length: count }, () => random() * scale),
    })
    return name
  }
  const add = (operator: string, inputs: readonly string[], options: Partial<Node> = {}) => {
    const output = options.output ?? `${operator}_${nodes.length}`
    nodes.push({ operator, inputs, output, attributes: options.attributes ?? {} })
    return output
  }
  const convolve = (input: string, name: string, channels: number) => {
    const weight = weights(name, [CHANNELS, channels, KERNEL, KERNEL], channels * KERNEL * KERNEL)
    const attributes = { kernel_shape: [KERNEL, KERNEL], pads: [1, 1, 1, 1] }
    return add('Relu', [add('Conv', [input, weight], { attributes })])
  }

  const pixels = weights('enter', [WIDTH_IN, SIDE * SIDE], WIDTH_IN)
  const shape = BigInt64Array.from([-1n, 1n, BigInt(SIDE), BigInt(SIDE)])
  tensors.push({ name: 'shape', dims: [shape.length], values: shape })
  let image = add('Reshape', [add('MatMul', ['input', pixels]), 'shape'])
  image = convolve(image, 'first', 1)
  for (let block = 0; block < BLOCKS; block++) {
    const inner = convolve(convolve(image, `a${block}`, CHANNELS), `b${block}`, CHANNELS)
    // Halved so that values stay near one whatever the number of blocks.
    image = add('Mean', [image, inner])
  }
  // No pooling: it would make the answers to different rows nearly equal, and a mixed-up answer would go unseen.
  const flat = add('Flatten', [image])
  const leave = weights('leave', [CHANNELS * SIDE * SIDE, WIDTH_OUT], CHANNELS)
  add('MatMul', [flat, leave], { output: 'output' })
  return encodeModel({
    name: 'mid_size',
    nodes,
    tensors,
    input: { name: 'input', width: WIDTH_IN },
    output: { name: 'output', width: WIDTH_OUT },
  })
}

/** Normally distributed numbers from a seed (mulberry32, Box–Muller). */
function randomNormal(seed: number): () => number {
  let state = seed
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

if (isMain) writeFileSync(process.argv[2] ?? 'mid-size.onnx', makeMidSizeModel())
